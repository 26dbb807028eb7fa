// The files in which an app lists its buildpacks. References are returned as they are written.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "buildpack/buildpack.h"
#include "util/error.h"

namespace hearth::buildpack {

// .buildpacks: one a line, CRLF tolerated; blank lines are skipped, and what follows a '#' at the start of a line or
// after a blank ("url#ref" is no comment).
std::vector<std::string> parse_dot_buildpacks(std::string_view text);

// app.json: "buildpacks": [{"url": "…"}, …]; an entry may also be the text itself. Empty without that member. For
// tests, those of "environments": {"test": …} come first.
Result<std::vector<std::string>> parse_app_json(std::string_view text, Purpose purpose = Purpose::deploy);

// What app.json says about test runs.
struct TestSettings {
  std::map<std::string, std::string> env;  // config vars with a value
  std::string setup;                       // scripts.test-setup: a line of shell; may be empty
  std::string test;                        // scripts.test: a line of shell, instead of bin/test; may be empty
};

// From app.json: each of these in "environments": {"test": …}, else at the top.
Result<TestSettings> parse_test_settings(std::string_view text);

// project.toml: `uri` of the tables [[io.buildpacks.group]], else of [[build.buildpacks]]. Empty without them. An entry
// that has an `id` alone is a Cloud Native Buildpack and invalid.
Result<std::vector<std::string>> parse_project_toml(std::string_view text);

}  // namespace hearth::buildpack
