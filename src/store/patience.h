// How often and after what time something is tried again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "util/error.h"

namespace hearth::store {

// Only unavailable is tried again, after a random time between zero and a bound that doubles (full jitter). Where the
// other side named a time (Retry-After), that comes on top.
struct RetryPolicy {
  unsigned attempts = 5;                           // with the first one
  std::chrono::milliseconds first_delay{200};      // the bound before the second attempt
  std::chrono::milliseconds longest_delay{5'000};  // what the bound grows to
  std::chrono::milliseconds total{30'000};         // no attempt begins later than this after the first failure
};

// Where time and chance come from, so that tests need neither.
struct RetryClock {
  std::function<std::chrono::steady_clock::time_point()> now;
  // As pause() does: cancelled as soon as the token fires.
  std::function<Result<void>(std::chrono::nanoseconds, const std::stop_token&)> wait;
  std::function<double()> chance;  // uniform in [0, 1)

  static RetryClock real();
};

// What is repeated: a step of a larger operation, or the whole of one.
enum class Repeated { step, whole };

// What is left of one call's attempts and time. The time begins with the first failure: a transfer that breaks after an
// hour is worth another attempt. Of one thread. What it is given must live longer.
class Patience {
 public:
  Patience(const RetryPolicy& policy, const RetryClock& clock, Repeated repeated = Repeated::whole);

  // After a failure: waits, and tells whether to try again. False at once if the wait would end after the total time,
  // and where this repetition cannot mend the error (Retry). cancelled if the token fires.
  Result<bool> try_again(const Error& error, const std::stop_token& stop);

  // The error of the last attempt, for whoever gets it: nobody else is to try what this has tried in vain.
  Error final(Error error) const;

 private:
  bool can_mend(const Error& error) const;

  const RetryPolicy& policy_;
  const RetryClock& clock_;
  const Repeated repeated_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::chrono::nanoseconds bound_;
  unsigned attempts_ = 0;
};

// The value of `call`, or its last failure, which is final.
template <class Call>
std::invoke_result_t<Call> repeat(Patience patience, const std::stop_token& stop, Call call,
                                  const std::function<void()>& on_retry = {}) {
  while (true) {
    auto result = call();
    if (result) return result;
    const bool again = TRY(patience.try_again(result.error(), stop));
    if (!again) return std::unexpected(patience.final(std::move(result).error()));
    if (on_retry) on_retry();
  }
}

}  // namespace hearth::store
