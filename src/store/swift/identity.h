// Tokens: from Swift's own authentication (v1), and from OpenStack's identity service (v2, v3).
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "http/client.h"
#include "store/credential_chain.h"
#include "store/swift/options.h"
#include "util/error.h"

namespace hearth::store::swift {

struct Session {
  std::string token;
  std::string storage_url;               // of the account; without '/' at its end
  std::optional<WallTime> expires = {};  // by our clock; absent: not told
  bool operator==(const Session&) const = default;
};

// What the answer to such a login grants. denied: the credentials are refused, or the store that is named is reached
// without TLS although the identity service was asked with it; invalid: no identity service answers there, or its
// catalog has no such object store. Messages hold no secret.
Result<Session> session_of(const http::Answer& answer, const SwiftOptions& options);

// One request, and the session that its answer grants; none for OS_AUTH_TOKEN.
Result<Session> authenticate(http::Client& client, const SwiftOptions& options, const std::stop_token& stop);

}  // namespace hearth::store::swift
