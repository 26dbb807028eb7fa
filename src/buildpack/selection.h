// Which buildpacks build this app: every way of naming them, by precedence, and how they get here.
#pragma once

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "buildpack/buildpack.h"
#include "buildpack/lists.h"
#include "fetch/fetch.h"

namespace hearth::buildpack {

struct Request {
  std::vector<std::string> named;                  // --buildpack, in order; the operator's word
  std::filesystem::path installed;                 // --buildpacks: a directory of buildpacks; may be empty
  std::map<std::string, std::string> config_vars;  // BUILDPACK_URL is looked up here
  std::map<std::string, std::string> aliases;      // "heroku/*" → "https://…/heroku-buildpack-*"
  Purpose purpose = Purpose::deploy;
};

// Where a list of buildpacks came from, for the log.
enum class Named { command_line, buildpack_url, dot_buildpacks, app_json, project_toml, detection };
std::string_view name(Named named);

struct Choice {
  Named named = Named::detection;
  std::vector<std::string> references;  // as written; empty for detection: every installed one is a candidate
};

// Reads the highest-ranking place that names any, from the app's source at `app_dir` (links are not followed out of
// it). A file that cannot be parsed is invalid and named, as are docker:// and urn:cnb: references (Cloud Native
// Buildpacks).
Result<Choice> choose(const Request& request, const std::filesystem::path& app_dir);

// What the app's app.json says about test runs; nothing where there is none.
Result<TestSettings> read_test_settings(const std::filesystem::path& app_dir);

struct FetchPlan {
  fetch::GitAccess git;
  std::filesystem::path app_dir;       // for paths inside the app
  std::filesystem::path checkout_dir;  // host directory below tmp_dir; each buildpack gets a folder of its own in it
  std::filesystem::path store_dir;     // local, size-bounded folder of fetched buildpacks, keyed by URL and revision
  std::uint64_t store_bytes = 0;       // its bound
  std::optional<uid_t> owner;          // of the checkouts
};

// Brings every chosen buildpack (or every installed one, in name order, for detection) to its own folder.
// Unreachable or invalid ones: the message names the masked URL and what was expected.
Result<std::vector<Buildpack>> fetch_all(const Choice& choice, const Request& request, const FetchPlan& plan,
                                         std::stop_token stop);

}  // namespace hearth::buildpack
