// How fast a piece of work goes, and how it is told on one line.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "util/progress.h"

namespace hearth::cli {

// From readings that are taken one after another.
class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A reading that is behind the one before it is the beginning of something new.
  void take(Time now, util::ProgressReading reading);

  // Bytes per second over the last seconds; 0 while nobody can know.
  double rate() const;
  // Until the total is reached at this rate; absent where total or rate are unknown, or it would take days.
  std::optional<std::chrono::seconds> remaining() const;
  // The last one, never above its total.
  util::ProgressReading reading() const;

 private:
  struct Sample {
    Time time;
    util::ProgressReading reading;
  };
  std::deque<Sample> samples_;  // the first is as old as what counts
};

// "saving the cache: 45% (1.2 GB of 2.6 GB), 85 MB/s, 16 s left"
std::string progress_words(std::string_view what, const Pace& pace);

// The same with a bar, in at most `columns` columns: "saving the cache [=======>        ] 45%, 85 MB/s, 16 s left".
std::string progress_bar(std::string_view what, const Pace& pace, std::size_t columns);

}  // namespace hearth::cli
