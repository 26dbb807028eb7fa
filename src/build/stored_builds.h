// What is kept of an app's builds: telling it, and removing it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "build/build_folders.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::build {

enum class BuildState {
  succeeded,   // published, and its report does not say otherwise
  failed,      // its report says so
  unfinished,  // neither: it is at work, or was ended before it could tell
};
std::string_view name(BuildState state);

// The one rule for what became of a build: its folder, and its report as report_text gives it. One that cannot be read
// does not say that the build failed.
BuildState state_of(const BuildFiles& files, const std::string& report);

// The build's report as it was stored; empty where there is none (any more).
Result<std::string> report_text(store::ObjectStore& store, const BuildFiles& files, const std::stop_token& stop);

struct StoredBuild {
  std::string build;
  BuildState state = BuildState::unfinished;
  std::optional<std::chrono::sys_seconds> time;  // as its name has it: by the builder's clock
  std::uint64_t bytes = 0;                       // of all its objects
  std::uint64_t objects = 0;
  std::uint64_t slug_bytes = 0;
  std::string report;  // as it was stored: the documented JSON; empty where there is none
};

// All builds, the newest first. One request for the list and one for each report, several at a time. An app without any
// has none. Errors: the store's.
Result<std::vector<StoredBuild>> stored_builds(store::ObjectStore& store, std::string_view app,
                                               const std::stop_token& stop);

// The same of one build. It went meanwhile: not_found.
Result<StoredBuild> stored_build(store::ObjectStore& store, const BuildFolders& folders, const std::string& build,
                                 const std::stop_token& stop);

// What somebody means by `text`: the build of that name, or the only one whose name, or the id in it, begins so.
// not_found: there is none; invalid: there are several, and the message names them.
Result<std::string> choose_build(const BuildFolders& folders, std::string_view app, std::string_view text);

// The newest that succeeded; absent where none did.
Result<std::optional<std::string>> newest_succeeded(store::ObjectStore& store, const BuildFolders& folders,
                                                    const std::stop_token& stop);

struct BuildRemoval {
  std::vector<std::string> builds;  // that are gone, the oldest first
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
};

// Removes these builds with all their objects. The Procfiles go first: from then on nobody takes them for builds that
// can be run. After an error some may be gone in part; removing them again removes the rest.
Result<BuildRemoval> remove_builds(store::ObjectStore& store, const BuildFolders& folders,
                                   std::span<const std::string> builds, const std::stop_token& stop);

// What --keep-builds removes. `folders` are all of an app; `keep` > 0. Kept are the `keep` newest, of whatever outcome;
// the newest that succeeded; `own`, the build that asks (it has succeeded, or is ""); and those whose report is not
// there, unless nothing of them was written for a day by the store's clock: they may be at work.
Result<std::vector<std::string>> builds_beyond(store::ObjectStore& store, const BuildFolders& folders, std::size_t keep,
                                               std::string_view own, const std::stop_token& stop);

// Lists the app's builds, and removes what is beyond. Goes well with builds that are at work.
Result<BuildRemoval> keep_newest(store::ObjectStore& store, std::string_view app, std::size_t keep,
                                 std::string_view own, const std::stop_token& stop);

}  // namespace hearth::build
