// Publishes an app's builds, and finds those that can be run. Their folders (build_folders.h) sort by time; a build is
// published once both its slug and its Procfile are there.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::build {

// A name for a new build: the time in UTC and the id, and later in the order of names than every build of this app
// that is in the store, whatever the clock says.
Result<std::string> name_build(store::ObjectStore& store, std::string_view app, std::string_view id,
                               std::chrono::system_clock::time_point now, std::stop_token stop);
// The same where the store does not answer: by the clock alone.
std::string name_build_by_clock(std::string_view id, std::chrono::system_clock::time_point now);

// Puts the slug, then the Procfile. The value is the slug's key.
Result<std::string> publish(store::ObjectStore& store, std::string_view app, std::string_view build,
                            const std::filesystem::path& slug, std::string_view procfile, std::stop_token stop);

// Puts the report and the log, each once.
Result<void> store_records(store::ObjectStore& store, std::string_view app, std::string_view build,
                           std::string_view report, std::string_view log, std::stop_token stop);

// Whether the build's report is there: one that was removed has none.
Result<bool> has_report(store::ObjectStore& store, std::string_view app, std::string_view build, std::stop_token stop);

struct PublishedBuild {
  std::string build;
  std::string slug_key;
  std::uint64_t slug_bytes = 0;
  std::string slug_sha256;  // hexadecimal; empty where there is no report, or none that can be read
  std::string procfile;     // as published: a YAML map
};

// The newest build that succeeded (state_of in stored_builds.h). None, or no such app: not_found.
Result<PublishedBuild> newest_build(store::ObjectStore& store, std::string_view app, std::stop_token stop);

// The build that `build` names as choose_build (stored_builds.h) understands it. One that failed or was never
// published: not_found.
Result<PublishedBuild> published_build(store::ObjectStore& store, std::string_view app, std::string_view build,
                                       std::stop_token stop);

// Downloads the slug into a new file, in pieces, and compares size and SHA-256: corrupt where they differ.
Result<void> download_slug(store::ObjectStore& store, const PublishedBuild& build, const std::filesystem::path& file,
                           std::stop_token stop);

}  // namespace hearth::build
