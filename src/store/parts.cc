#include "store/parts.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "store/patience.h"

namespace hearth::store {
namespace {

class Sending {
 public:
  Sending(std::uint64_t size, std::uint64_t part_size, const SendPart& send)
      : size_(size), step_(part_size), send_(send), count_(static_cast<std::size_t>((size + step_ - 1) / step_)) {}

  Result<void> run(std::uint32_t transfers, const std::stop_token& stop) {
    const std::stop_callback pass_on(stop, [this] { source_.request_stop(); });
    {
      std::vector<std::jthread> senders;
      for (std::size_t i = 0; i < std::min<std::size_t>(transfers, count_); ++i)
        senders.emplace_back([this] { some(); });
    }
    if (failure_) return std::unexpected(*std::move(failure_));
    return {};
  }

 private:
  // Until no part is left, or one has failed.
  void some() {
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    const std::stop_token stop = source_.get_token();
    for (std::size_t index = next_++; index < count_; index = next_++) {
      const std::uint64_t offset = index * step_;
      const ByteRange part{offset, std::min(step_, size_ - offset)};
      const Result<void> sent = stop.stop_requested() ? fail(ErrorKind::cancelled, "the upload was stopped")
                                                      : repeat(Patience(policy, clock, Repeated::step), stop,
                                                               [&] { return send_(index, part, stop); });
      if (sent) continue;
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = sent.error();
      source_.request_stop();
      return;
    }
  }

  const std::uint64_t size_;
  const std::uint64_t step_;
  const SendPart& send_;
  const std::size_t count_;
  std::stop_source source_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> send_parts(std::uint64_t size, std::uint64_t part_size, std::uint32_t transfers, const SendPart& send,
                        const std::stop_token& stop) {
  return Sending(size, part_size, send).run(transfers, stop);
}

}  // namespace hearth::store
