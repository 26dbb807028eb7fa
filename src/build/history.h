// What the store remembers of an app's builds beyond their reports: one small object, which a build reads with one
// request and writes with one, so that the next ones know whether the cache is worth its restore, and whether it is to
// be trusted. Never more than a hint: without it builds are what they were, and nothing that happens to it fails one.
//
//   apps/<app>/history.json
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "build/report.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::build {

using Seconds = std::chrono::duration<double>;

// What a build compiled with.
enum class Temperature {
  none,  // it ended before
  cold,  // an empty CACHE_DIR
  warm   // a restored one
};

struct PastBuild {
  std::string build;  // its folder's name; builds are ordered by the second in it, those of one second as they came
  std::string stack;
  std::string arch;
  bool succeeded = false;
  std::string source_version;  // "" where nobody knew it

  std::string restore = "not-run";  // as in the report; not-run: the build ended before it had to wait for it
  std::string generation;           // that was restored; "" for none
  Seconds restore_time{};           // of the restore
  Seconds waited{};                 // of it, what the build had to wait
  std::uint64_t restored_bytes = 0;
  std::uint64_t fetched_bytes = 0;

  Temperature compiled = Temperature::none;  // of the compile that counted: the second one, after a retry
  Seconds compile_time{};                    // its time
  std::string retry = "not-run";             // as in the report

  std::string save = "not-run";  // as in the report
  std::string saved_generation;  // "" for none
  Seconds save_time{};
  std::uint64_t uploaded_bytes = 0;

  bool operator==(const PastBuild&) const = default;
};

// The build with what became of its save.
PastBuild with_save(PastBuild build, const CacheSaveReport& save, Seconds taken);

// Oldest first.
using History = std::vector<PastBuild>;

// So many builds are kept, the newest ones; and beyond them, of each cache, kColdKept builds that compiled cold and
// succeeded, without which nobody could tell what the cache saves.
inline constexpr std::size_t kBuildsKept = 100;
inline constexpr std::size_t kColdKept = 5;
// Whatever there is: no history is longer, and none is larger (bytes).
inline constexpr std::size_t kMostKept = 200;
inline constexpr std::uint64_t kHistoryLimit = std::uint64_t{1} << 20;

// The history with the build in its place: in the stead of an entry of the same name, and without what is too much.
History with_build(History history, PastBuild build);

// Version 1 of the documented JSON form.
std::string encode_history(const History& history);
// Not a history: corrupt. Of a later version: invalid.
Result<History> decode_history(std::string_view json);

// The builds of one cache.
History of_cache(const History& history, std::string_view stack, std::string_view arch);

// Whether a build of the cache succeeded with this generation restored.
bool has_served(const History& of_cache, std::string_view generation);
// Whether this source version (not empty) was built with success.
bool was_built(const History& of_cache, std::string_view source_version);

// A history as it was read, and the version of the object that it is to replace; an empty version: there is none.
struct KnownHistory {
  History history;
  store::Version version;
};

// An absent or a damaged one is empty. One of a later version is invalid: it is left alone. Other errors are the
// store's.
Result<KnownHistory> read_history(store::ObjectStore& store, std::string_view app, std::stop_token stop);

// Adds the build to the app's history by compare-and-swap, so that of builds that end at the same moment none is lost
// (on a store without it, one may be). `known`: what was read of it before, which saves a request where nobody wrote
// since; absent: it is read.
Result<void> remember_build(store::ObjectStore& store, std::string_view app, const PastBuild& build,
                            std::optional<KnownHistory> known, std::stop_token stop);

// The apps that the store has a history of, in the order of their keys. The names of all objects are listed.
Result<std::vector<std::string>> apps_with_history(store::ObjectStore& store, std::stop_token stop);

}  // namespace hearth::build
