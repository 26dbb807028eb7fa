// Deadlines as stop tokens: whoever waits for one token waits for the caller's stop and for the clock alike.
#pragma once

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace hearth::util {

// A stop source that fires when `parent` does, or after `limit` (steady clock; suspension of the process counts only
// where CLOCK_MONOTONIC runs on). Destroying it ends its thread at once. Thread-safe.
class StopAfter {
 public:
  StopAfter(std::stop_token parent, std::chrono::nanoseconds limit);
  ~StopAfter();
  StopAfter(const StopAfter&) = delete;
  StopAfter& operator=(const StopAfter&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // True if the time was up before anything else stopped it.
  bool expired() const { return expired_.load(); }

 private:
  std::stop_source source_;
  std::atomic<bool> expired_ = false;
  std::jthread timer_;
};

}  // namespace hearth::util
