// Ends what waits for a store that does nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "store/watched.h"

namespace hearth::store {

// Recognises a stall in readings that are taken one after another.
class StallDetector {
 public:
  explicit StallDetector(std::chrono::nanoseconds limit) : limit_(limit) {}

  // True if requests were in flight since a reading at least `limit` ago, and none of the readings since showed a step.
  // Time without a request in flight is nobody's stall.
  bool is_stalled(std::chrono::steady_clock::time_point now, const Activity& activity);

 private:
  const std::chrono::nanoseconds limit_;
  std::optional<std::uint64_t> steps_;  // as last seen with a request in flight
  std::chrono::steady_clock::time_point since_;
};

// A stop source that fires when `parent` does, or when the requests through `store` have made no step for `limit` (and
// at most a tenth more). Destroying it ends its thread at once. Thread-safe. The store must live longer.
class StallWatch {
 public:
  StallWatch(const Watched& store, std::chrono::nanoseconds limit, const std::stop_token& parent);
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // True if it was a stall that ended it, and nothing before.
  bool stalled() const { return stalled_; }

 private:
  std::stop_source source_;
  std::atomic<bool> stalled_ = false;
  std::stop_callback<std::function<void()>> pass_on_;
  std::jthread watcher_;
};

}  // namespace hearth::store
