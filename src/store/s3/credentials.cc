#include "store/s3/credentials.h"

namespace hearth::store::s3 {
namespace {

constexpr std::chrono::minutes kRenewedBefore{5};
constexpr std::chrono::seconds kBetweenRenewals{30};

}  // namespace

Result<Credentials> CredentialChain::ask_all(const std::stop_token& stop) const {
  std::string looked;
  for (const CredentialProvider& provider : providers_) {
    std::optional<Credentials> found = TRY(within(provider.name, provider.ask(stop)));
    if (found) return *std::move(found);
    looked += fmt::format("{}{}", looked.empty() ? "" : ", ", provider.name);
  }
  return fail(ErrorKind::denied, "no credentials for S3 were found (looked into: {})", looked);
}

Result<Credentials> CredentialChain::get(const std::stop_token& stop) {
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

void CredentialChain::forget(const Credentials& refused) {
  const std::lock_guard lock(mutex_);
  if (kept_ && kept_->access_key == refused.access_key && kept_->session_token == refused.session_token) kept_.reset();
}

}  // namespace hearth::store::s3
