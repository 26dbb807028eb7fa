// Who asks a store: credentials from the first place that has some, kept until they have to be renewed.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::store {

using WallTime = std::chrono::system_clock::time_point;

// One place to look. Absent: nothing is configured there, and the next place is asked. An error: something is, and it
// cannot be used; the chain ends there, so that a mistake is not covered by other credentials.
template <class Credentials>
struct Provider {
  std::string name;  // for messages
  std::function<Result<std::optional<Credentials>>(const std::stop_token& stop)> ask;
};

// The chain's answer, kept and asked for again five minutes before it expires. Thread-safe. Credentials can be compared
// and have an optional<WallTime> `expires`; absent: never.
template <class Credentials>
class CredentialChain {
 public:
  using Now = std::function<WallTime()>;

  // `service` is for messages.
  CredentialChain(std::string service, std::vector<Provider<Credentials>> providers,
                  Now now = std::chrono::system_clock::now)
      : service_(std::move(service)), providers_(std::move(providers)), now_(std::move(now)) {}

  // denied, with the names of the places that were looked into, if there are none anywhere. A renewal that fails is no
  // error while the old ones are still valid, and is tried again half a minute later.
  Result<Credentials> get(const std::stop_token& stop) {
    constexpr std::chrono::minutes kRenewedBefore{5};
    constexpr std::chrono::seconds kBetweenRenewals{30};
    const std::lock_guard lock(mutex_);
    const bool valid = kept_ && (!kept_->expires || now_() < *kept_->expires);
    if (valid && (!kept_->expires || now_() < renewal_)) return *kept_;
    Result<Credentials> fresh = ask_all(stop);
    if (fresh) {
      kept_ = *fresh;
      if (kept_->expires) renewal_ = *kept_->expires - kRenewedBefore;
      return fresh;
    }
    if (!valid || fresh.error().kind == ErrorKind::cancelled) return fresh;
    renewal_ = now_() + kBetweenRenewals;
    return *kept_;
  }

  // The server has refused these as expired: they are not given out again.
  void forget(const Credentials& refused) {
    const std::lock_guard lock(mutex_);
    if (kept_ && *kept_ == refused) kept_.reset();
  }

 private:
  Result<Credentials> ask_all(const std::stop_token& stop) const {
    std::string looked;
    for (const Provider<Credentials>& provider : providers_) {
      std::optional<Credentials> found = TRY(within(provider.name, provider.ask(stop)));
      if (found) return *std::move(found);
      looked += fmt::format("{}{}", looked.empty() ? "" : ", ", provider.name);
    }
    return fail(ErrorKind::denied, "no credentials for {} were found (looked into: {})", service_, looked);
  }

  const std::string service_;
  const std::vector<Provider<Credentials>> providers_;
  const Now now_;
  std::mutex mutex_;
  std::optional<Credentials> kept_;
  WallTime renewal_;  // when those that are kept are to be replaced, if they expire
};

}  // namespace hearth::store
