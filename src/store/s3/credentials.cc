#include "store/s3/credentials.h"

namespace hearth::store::s3 {
namespace {

constexpr std::chrono::minutes kRenewedBefore{5};

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
  if (kept_ && (!kept_->expires || *kept_->expires - kRenewedBefore > now_())) return *kept_;
  Result<Credentials> fresh = ask_all(stop);
  if (fresh) kept_ = *fresh;
  const bool still_valid = kept_ && kept_->expires && *kept_->expires > now_();
  if (!fresh && still_valid && fresh.error().kind != ErrorKind::cancelled) return *kept_;
  return fresh;
}

void CredentialChain::forget(const Credentials& refused) {
  const std::lock_guard lock(mutex_);
  if (kept_ && kept_->access_key == refused.access_key && kept_->session_token == refused.session_token) kept_.reset();
}

}  // namespace hearth::store::s3
