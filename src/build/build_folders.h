// Where an app's builds lie in its store: apps/<app>/builds/<utc-time>-<id>/{slug.tgz,Procfile,report.json,log.txt}.
// No other file knows these names.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::build {

inline constexpr std::string_view kSlugName = "slug.tgz";
inline constexpr std::string_view kProcfileName = "Procfile";
inline constexpr std::string_view kReportName = "report.json";
inline constexpr std::string_view kLogName = "log.txt";

Result<store::Key> build_key(std::string_view app, std::string_view build, std::string_view file);

// What lies in one build's folder, by the file's name.
using BuildFiles = std::map<std::string, store::ObjectInfo, std::less<>>;
// All builds of an app by their names, which is the order of their times: the oldest first.
using BuildFolders = std::map<std::string, BuildFiles, std::less<>>;

// Errors: the store's. An app without a build has no folder.
Result<BuildFolders> list_builds(store::ObjectStore& store, std::string_view app, std::stop_token stop);

// Whether slug and Procfile are there. A build that failed may have both: its report says so.
bool is_published(const BuildFiles& files);

// The time that a build's name begins with, "20260131T235959Z"; absent where it begins with anything else.
std::optional<std::chrono::sys_seconds> time_of_build(std::string_view build);

// A log has half of that at most.
inline constexpr std::uint64_t kLargestText = std::uint64_t{64} << 20;

// An object of at most kLargestText bytes as text; a larger one is invalid, and not read.
Result<std::string> get_text(store::ObjectStore& store, const store::Key& key, std::stop_token stop);

}  // namespace hearth::build
