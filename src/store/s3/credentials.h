// Who asks S3: keys from wherever AWS's own tools look for them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "store/credential_chain.h"
#include "store/settings.h"

namespace hearth::store::s3 {

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token = {};        // empty: none
  std::optional<WallTime> expires = {};  // absent: never
  bool operator==(const Credentials&) const = default;
};

using CredentialProvider = ProviderOf<Credentials>;

// The providers in AWS's order: variables of the environment, shared files (credentials, config; AWS_PROFILE), web
// identity token, container, instance metadata (version 2). `region` is the one to ask STS in.
std::vector<CredentialProvider> default_providers(const Environment& environment, const std::string& profile,
                                                  const std::string& region);

class CredentialChain : public ChainOf<Credentials> {
 public:
  explicit CredentialChain(std::vector<CredentialProvider> providers, Now now = std::chrono::system_clock::now)
      : ChainOf("S3", std::move(providers), std::move(now)) {}
};

}  // namespace hearth::store::s3
