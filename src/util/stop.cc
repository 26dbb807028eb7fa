#include "util/stop.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace hearth::util {

namespace {

// Waits for `limit`, the parent's stop or the end of the timer; true if it was the clock.
bool wait_out(std::stop_token own, const std::stop_token& parent, std::chrono::nanoseconds limit) {
  std::mutex mutex;
  std::condition_variable_any changed;
  const std::stop_callback wake(parent, [&] {
    const std::lock_guard guard(mutex);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  constexpr std::chrono::hours kForever(24 * 365);  // far beyond any limit, and safe to add to a point in time
  const auto bounded = std::min<std::chrono::nanoseconds>(limit, kForever);
  const bool woken = changed.wait_for(lock, own, bounded, [&] { return parent.stop_requested(); });
  lock.unlock();
  return !woken && !own.stop_requested();
}

}  // namespace

StopAfter::StopAfter(std::stop_token parent, std::chrono::nanoseconds limit)
    : timer_([this, parent = std::move(parent), limit](const std::stop_token& own) {
        if (wait_out(own, parent, limit)) expired_ = true;
        if (expired_ || parent.stop_requested()) source_.request_stop();
      }) {}

StopAfter::~StopAfter() = default;

}  // namespace hearth::util
