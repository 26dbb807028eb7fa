#include "store/stall.h"

#include <algorithm>

#include "store/pause.h"

namespace hearth::store {

bool StallDetector::is_stalled(std::chrono::steady_clock::time_point now, const Activity& activity) {
  if (activity.in_flight == 0) {
    steps_.reset();
    return false;
  }
  if (steps_ != activity.steps) {
    steps_ = activity.steps;
    since_ = now;
  }
  return now - since_ >= limit_;
}

StallWatch::StallWatch(const Watched& store, std::chrono::nanoseconds limit, const std::stop_token& parent)
    : pass_on_(parent, [this] { source_.request_stop(); }), watcher_([this, &store, limit](const std::stop_token& own) {
        const auto step = std::max<std::chrono::nanoseconds>(limit / 10, std::chrono::milliseconds(1));
        StallDetector detector(limit);
        while (pause(step, own)) {
          if (!detector.is_stalled(std::chrono::steady_clock::now(), store.activity())) continue;
          stalled_ = !source_.stop_requested();
          source_.request_stop();
          return;
        }
      }) {}

}  // namespace hearth::store
