#include "cli/pace.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/text.h"

namespace hearth::cli {

namespace {

// What happened before does not tell how fast it is now.
constexpr std::chrono::seconds kMemory{10};
constexpr std::chrono::milliseconds kLeastTime{200};
constexpr std::chrono::hours kLongest{48};
constexpr std::size_t kWidestBar = 40;
constexpr std::size_t kNarrowestBar = 8;

std::uint64_t percent(util::ProgressReading reading) {
  return static_cast<std::uint64_t>(100.0 * static_cast<double>(reading.done) / static_cast<double>(reading.total));
}

// ", 85 MB/s, 16 s left", as far as it is known.
std::string speed(const Pace& pace) {
  std::string text;
  if (const double rate = pace.rate(); rate >= 1) {
    text += fmt::format(", {}/s", util::human_size(static_cast<std::uint64_t>(rate)));
  }
  if (const auto left = pace.remaining()) text += fmt::format(", {} left", util::human_duration(*left));
  return text;
}

}  // namespace

void Pace::take(Time now, util::ProgressReading reading) {
  const bool is_new = !samples_.empty() &&
                      (reading.done < samples_.back().reading.done || reading.total != samples_.back().reading.total);
  if (is_new) samples_.clear();
  samples_.push_back({now, reading});
  // One that is older than what counts stays, so that all of that time is covered.
  while (samples_.size() > 2 && now - samples_[1].time >= kMemory) samples_.pop_front();
}

double Pace::rate() const {
  if (samples_.size() < 2) return 0;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  if (last.time - first.time < kLeastTime) return 0;
  const std::chrono::duration<double> seconds = last.time - first.time;
  return static_cast<double>(last.reading.done - first.reading.done) / seconds.count();
}

std::optional<std::chrono::seconds> Pace::remaining() const {
  const util::ProgressReading now = reading();
  const double rate_now = rate();
  if (now.total == 0 || rate_now < 1) return std::nullopt;
  const double seconds = static_cast<double>(now.total - now.done) / rate_now;
  if (seconds > std::chrono::duration<double>(kLongest).count()) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(std::chrono::duration<double>(seconds));
}

util::ProgressReading Pace::reading() const {
  if (samples_.empty()) return {};
  util::ProgressReading last = samples_.back().reading;
  if (last.total > 0) last.done = std::min(last.done, last.total);
  return last;
}

std::string progress_words(std::string_view what, const Pace& pace) {
  const util::ProgressReading now = pace.reading();
  if (now.total == 0 && now.done == 0) return fmt::format("{}...", what);
  if (now.total == 0) return fmt::format("{}: {}{}", what, util::human_size(now.done), speed(pace));
  return fmt::format("{}: {}% ({} of {}){}", what, percent(now), util::human_size(now.done),
                     util::human_size(now.total), speed(pace));
}

std::string progress_bar(std::string_view what, const Pace& pace, std::size_t columns) {
  const util::ProgressReading now = pace.reading();
  if (now.total == 0) return progress_words(what, pace).substr(0, columns);
  const std::string end = fmt::format("] {}%{}", percent(now), speed(pace));
  const std::size_t around = what.size() + 2 + end.size();
  if (columns < around + kNarrowestBar) return progress_words(what, pace).substr(0, columns);
  const std::size_t width = std::min(kWidestBar, columns - around);
  const std::size_t filled = std::min<std::size_t>(width * percent(now) / 100, width);
  std::string bar(filled, '=');
  if (filled < width) bar += '>';
  bar.resize(width, ' ');
  return fmt::format("{} [{}{}", what, bar, end);
}

}  // namespace hearth::cli
