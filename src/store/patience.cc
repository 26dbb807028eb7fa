#include "store/patience.h"

#include <algorithm>
#include <random>

#include "store/pause.h"

namespace hearth::store {
namespace {

double random_fraction() {
  static thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace

RetryClock RetryClock::real() {
  return {[] { return std::chrono::steady_clock::now(); }, pause, random_fraction};
}

Patience::Patience(const RetryPolicy& policy, const RetryClock& clock, Repeated repeated)
    : policy_(policy), clock_(clock), repeated_(repeated), bound_(policy.first_delay) {}

bool Patience::can_mend(const Error& error) const {
  const bool in_reach = repeated_ == Repeated::whole ? error.retry != Retry::none : error.retry == Retry::step;
  return error.kind == ErrorKind::unavailable && in_reach;
}

Error Patience::final(Error error) const {
  if (can_mend(error)) error.retry = Retry::none;
  return error;
}

Result<bool> Patience::try_again(const Error& error, const std::stop_token& stop) {
  if (!can_mend(error) || ++attempts_ >= policy_.attempts) return false;
  const auto jitter = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::nano>(bound_) * clock_.chance());
  const std::chrono::nanoseconds delay = error.retry_after + jitter;
  if (!deadline_) deadline_ = clock_.now() + policy_.total;
  if (clock_.now() + delay > *deadline_) return false;
  TRY(clock_.wait(delay, stop));
  bound_ = std::min<std::chrono::nanoseconds>(bound_ * 2, policy_.longest_delay);
  return true;
}

}  // namespace hearth::store
