// Credentials of network stores: looked for in several places, kept, and renewed before they expire.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "util/error.h"

namespace hearth::store {

using WallTime = std::chrono::system_clock::time_point;

// One place to look. Absent: nothing is configured there, and the next place is asked. An error: something is, and it
// cannot be used; the chain ends there, so that a mistake is not covered by other credentials.
template <class Credentials>
struct ProviderOf {
  std::string name;  // for messages
  std::function<Result<std::optional<Credentials>>(const std::stop_token& stop)> ask;
};

// The first answer of the providers, kept and asked for again five minutes before it expires, or when half of what is
// left of a life shorter than ten minutes is over. `Credentials` can be compared, and has `std::optional<WallTime>
// expires` (absent: never). Thread-safe.
template <class Credentials>
class ChainOf {
 public:
  using Now = std::function<WallTime()>;

  // `whom_for` is for the message, as "S3" is.
  ChainOf(std::string whom_for, std::vector<ProviderOf<Credentials>> providers, Now now)
      : whom_for_(std::move(whom_for)), providers_(std::move(providers)), now_(std::move(now)) {}

  // denied, with the names of the places that were looked into, if there are none anywhere. A renewal that fails is no
  // error while the old ones are still valid, and is tried again half a minute later.
  Result<Credentials> get(const std::stop_token& stop) {
    using Life = WallTime::duration;
    constexpr std::chrono::minutes kRenewedBefore{5};
    constexpr std::chrono::seconds kBetweenRenewals{30};
    const std::lock_guard lock(mutex_);
    const bool valid = kept_ && (!kept_->expires || now_() < *kept_->expires);
    if (valid && (!kept_->expires || now_() < renewal_)) return *kept_;
    Result<Credentials> fresh = ask_all(stop);
    if (fresh) {
      kept_ = *fresh;
      if (kept_->expires) renewal_ = *kept_->expires - std::min<Life>(kRenewedBefore, (*kept_->expires - now_()) / 2);
      return fresh;
    }
    if (!valid || fresh.error().kind == ErrorKind::cancelled) return fresh;
    renewal_ = now_() + kBetweenRenewals;
    return *kept_;
  }

  // The server has refused these as expired: they are not given out again.
  void forget(const Credentials& refused) {
    const std::lock_guard lock(mutex_);
    if (kept_ == refused) kept_.reset();
  }

 private:
  Result<Credentials> ask_all(const std::stop_token& stop) const {
    std::string looked;
    for (const ProviderOf<Credentials>& provider : providers_) {
      auto found = within(provider.name, provider.ask(stop));
      // A missing file with a token must not pass for a missing object.
      if (!found && found.error().kind == ErrorKind::not_found) found.error().kind = ErrorKind::denied;
      if (!found) return std::unexpected(std::move(found).error());
      if (*found) return **std::move(found);
      looked += fmt::format("{}{}", looked.empty() ? "" : ", ", provider.name);
    }
    return fail(ErrorKind::denied, "no credentials for {} were found (looked into: {})", whom_for_, looked);
  }

  const std::string whom_for_;
  const std::vector<ProviderOf<Credentials>> providers_;
  const Now now_;
  std::mutex mutex_;
  std::optional<Credentials> kept_;
  WallTime renewal_;  // when those that are kept are to be replaced, if they expire
};

}  // namespace hearth::store
