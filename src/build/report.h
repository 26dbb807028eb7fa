// What a build did, in the form that its report has: `hearth build --report`, and report.json beside the slug.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "util/error.h"

namespace hearth::build {

// Why a build (or a run) did not succeed, by what its user can do about it. Each class has an exit code of its own.
enum class FailureClass {
  app,           // 1: the app or a buildpack failed
  usage,         // 2: an option's value cannot be used
  no_buildpack,  // 3: none was named, none detected the app
  source,        // 4: the source, a buildpack or the slug to run could not be had
  store,         // 5: the slug could not be published
  deadline,      // 124: --build-timeout was up
  interrupted,   // 130, 143: the caller's stop request; the caller knows which signal
  internal       // 70: the sandbox did not start, no space left, …
};
// As it stands in reports: "app", "usage", "no_buildpack", …
std::string_view name(FailureClass failure_class);

struct Failure {
  FailureClass kind = FailureClass::internal;
  std::string phase;    // of the report's phases; empty before the first
  std::string message;  // one line; never a secret
};

struct PhaseReport {
  std::string name;  // source, buildpacks, restore, detect, compile, retry, release, test, slug, publish, save
  std::chrono::duration<double> start{};    // since the build's start
  std::chrono::duration<double> seconds{};  // how long it took
};

struct BuildpackReport {
  std::string name;
  std::string source;                         // masked
  std::string revision;                       // empty for a directory
  std::map<std::string, std::string> report;  // bin/report's
};

struct SlugReport {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::string sha256;
  std::string key;  // in the store; empty where it was not published
};

struct CacheChoiceReport {
  std::string mode = "on";            // what was in force: on, off, read-only, refresh
  std::string why;                    // who wanted it so; empty where nobody said anything
  std::uint64_t deleted_objects = 0;  // of the stored cache, since its owner wants none
};

struct CacheRestoreReport {
  std::string outcome = "off";  // hit, fallback, miss, off, skipped, damaged, unavailable, late
  std::string generation;
  std::string seed;  // the app whose cache it was, where that was another one
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t fetched_bytes = 0;
};

struct CacheSaveReport {
  // saved, unchanged, quarantined (of a failed build), off, skipped, failed, superseded, late, not-run; background: of
  // a build whose saver has not ended yet, or was killed
  std::string outcome = "not-run";
  std::string generation;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t uploaded_bytes = 0;
  std::uint64_t uploaded_objects = 0;
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  std::uint64_t trimmed_files = 0;  // left out because of --max-size
  std::uint64_t trimmed_bytes = 0;
  std::uint64_t left_out = 0;
};

// Of a node-local tier.
struct TierReport {
  std::uint64_t hits = 0;    // reads that it answered
  std::uint64_t misses = 0;  // of what it keeps, but did not have yet
  std::uint64_t bytes = 0;   // of the hits
};

struct StoreReport {
  std::uint64_t get = 0;
  std::uint64_t put = 0;
  std::uint64_t list = 0;
  std::uint64_t stat = 0;
  std::uint64_t remove = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t retries = 0;
  std::optional<TierReport> tier = {};  // absent without one
};

struct Report {
  std::string app;
  std::string build;  // "<utc time>-<id>", the folder's name below apps/<app>/builds/
  std::string stack;
  std::string arch;
  std::string sandbox;             // the level; empty where none was opened
  std::optional<Failure> failure;  // absent: succeeded
  std::vector<BuildpackReport> buildpacks;
  std::map<std::string, std::string> processes;
  std::vector<PhaseReport> phases;  // in the order of their start
  std::optional<SlugReport> slug;   // absent where none was made
  CacheChoiceReport cache;
  CacheRestoreReport restore;
  CacheSaveReport save;
  std::string retry = "not-run";  // of the second compile, with an empty cache: succeeded, failed, unfinished, not-run
  StoreReport store;
};

CacheRestoreReport report_of(const cache::RestoreReport& restored);
CacheSaveReport report_of(const cache::SaveReport& saved);

// Version 1 of the documented JSON form, one line feed at the end. Text that is not UTF-8 has its bad bytes replaced.
std::string to_json(const Report& report);
// The members cache.restore and cache.save of that form, on their own.
std::string to_json(const CacheRestoreReport& restore);
std::string to_json(const CacheSaveReport& save);

// The report (to_json's) of a build whose save ended later than the build, with what became of it: `save` in the stead
// of what stands there, `phase` at its place, and the requests of `store` added. Not such a report: corrupt.
Result<std::string> with_save(std::string_view json, const CacheSaveReport& save, const PhaseReport& phase,
                              const StoreReport& store);

// What a reader of stored reports needs to choose a slug.
struct StoredReport {
  bool succeeded = false;
  std::string slug_sha256;  // hexadecimal; empty without a slug
};

// Reads a stored report. Not JSON, or of an unknown version: corrupt.
Result<StoredReport> parse_report(std::string_view json);

}  // namespace hearth::build
