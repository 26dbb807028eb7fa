#include "cache/tree/parallel.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace hearth::cache {

namespace {

constexpr unsigned kMost = 24;

}  // namespace

unsigned thread_count(unsigned wanted) {
  constexpr unsigned kLeast = 4;
  if (wanted > 0) return std::min(wanted, kMost);
  return std::clamp(2 * std::thread::hardware_concurrency(), kLeast, kMost);
}

unsigned core_count(unsigned wanted) {
  return std::clamp(wanted > 0 ? wanted : std::thread::hardware_concurrency(), 1U, kMost);
}

Result<void> in_parallel(unsigned threads, const std::stop_token& stop,
                         const std::function<Result<void>(const std::stop_token&)>& work) {
  if (threads <= 1) return work(stop);
  std::stop_source own;
  const std::stop_callback pass_on(stop, [&own] { own.request_stop(); });
  std::mutex mutex;
  std::optional<Error> first;
  {
    const auto member = [&] {
      Result<void> done = work(own.get_token());
      if (done) return;
      const std::lock_guard guard(mutex);
      if (!first) first = std::move(done).error();
      own.request_stop();
    };
    std::vector<std::jthread> crew;
    crew.reserve(threads);
    try {
      while (crew.size() + 1 < threads) crew.emplace_back(member);
    } catch (const std::system_error&) {
      // Those that there are do the work of the others.
    }
    member();
  }
  if (first) return std::unexpected(std::move(*first));
  return {};
}

}  // namespace hearth::cache
