#include "store/pause.h"

#include <condition_variable>
#include <mutex>

namespace hearth::store {

Result<void> go_on(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped before the store was asked");
  return {};
}

Result<void> pause(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while waiting for the store");
  return {};
}

}  // namespace hearth::store
