// Who asks S3: keys from wherever AWS's own tools look for them.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "http/client.h"
#include "util/error.h"

namespace hearth::store::s3 {

using Environment = std::map<std::string, std::string>;
using WallTime = std::chrono::system_clock::time_point;

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token = {};        // empty: none
  std::optional<WallTime> expires = {};  // absent: never
};

// One place to look. Absent: nothing is configured there, and the next place is asked. An error: something is, and it
// cannot be used; the chain ends there, so that a mistake is not covered by other credentials.
struct CredentialProvider {
  std::string name;  // for messages
  std::function<Result<std::optional<Credentials>>(const std::stop_token& stop)> ask;
};

// The providers in AWS's order: variables of the environment, shared files (credentials, config; AWS_PROFILE), web
// identity token, container, instance metadata (version 2). `region` is the one to ask STS in.
std::vector<CredentialProvider> default_providers(const Environment& environment, const std::string& profile,
                                                  const std::string& region);

// The chain's answer, kept and asked for again five minutes before it expires. Thread-safe.
class CredentialChain {
 public:
  using Now = std::function<WallTime()>;

  explicit CredentialChain(std::vector<CredentialProvider> providers, Now now = std::chrono::system_clock::now)
      : providers_(std::move(providers)), now_(std::move(now)) {}

  // denied, with the names of the places that were looked into, if there are none anywhere. A renewal that fails is no
  // error while the old ones are still valid, and is tried again half a minute later.
  Result<Credentials> get(const std::stop_token& stop);

  // The server has refused these as expired: they are not given out again.
  void forget(const Credentials& refused);

 private:
  Result<Credentials> ask_all(const std::stop_token& stop) const;

  const std::vector<CredentialProvider> providers_;
  const Now now_;
  std::mutex mutex_;
  std::optional<Credentials> kept_;
  WallTime renewal_;  // when those that are kept are to be replaced, if they expire
};

}  // namespace hearth::store::s3
