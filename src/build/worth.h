// Is a cache worth its restore? Answers from the builds that are remembered of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "build/history.h"

namespace hearth::build {

// Medians are of the newest so many, so that an app that changes is judged by what it is now.
inline constexpr std::size_t kSamples = 5;

// Of one cache, over all builds that are remembered.
struct CacheStats {
  std::uint64_t builds = 0;
  std::uint64_t succeeded = 0;

  std::uint64_t restores = 0;           // that builds waited for, whatever came of them
  std::uint64_t hits = 0;               // of them: hit and fallback
  std::optional<Seconds> restore_time;  // median over the hits
  std::optional<Seconds> waited;        // the same of what builds waited for them
  std::uint64_t fetched_bytes = 0;      // sum
  std::uint64_t saves = 0;              // saved, unchanged, quarantined
  std::optional<Seconds> save_time;     // median over these
  std::uint64_t uploaded_bytes = 0;     // sum

  std::optional<Seconds> cold_compile;  // median over the builds that compiled cold and succeeded
  std::optional<Seconds> warm_compile;  // the same of warm ones

  // What warm builds that succeeded were faster by than the median of the cold ones, with what they waited for the
  // restore counted as theirs; negative: slower. What a save takes does not count: the slug is published by then.
  struct Saved {
    std::string build;
    Seconds seconds{};
  };
  std::vector<Saved> saved;                // oldest first; empty where nothing can be compared
  Seconds saved_in_sum{};                  // over these
  std::optional<Seconds> saved_per_build;  // their mean

  // What each build that succeeded needed until it was compiled: waiting for the restore, and compile. Oldest first.
  std::vector<Seconds> until_compiled;
};
CacheStats stats_of(const History& of_cache);

// What `--cache auto` does.
struct Judgement {
  bool use = true;
  std::string reason;  // one line for the log; "" where there is nothing to say
};

// Not worth it: of the newest kEnough warm builds, the newest itself and the median took longer (with the wait for the
// restore) than the median cold one, by more than a tenth and more than kMargin. After kSkipped builds that did
// without, it is tried again, and a trial that was good is enough to use it again.
inline constexpr std::size_t kEnough = 3;
inline constexpr std::size_t kSkipped = 10;
inline constexpr Seconds kMargin{0.25};
Judgement judge(const History& of_cache);

}  // namespace hearth::build
