// Who asks Google: tokens from wherever Google's own tools look for credentials.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/credential_chain.h"
#include "store/settings.h"
#include "util/error.h"

namespace hearth::store::gcs {

// A bearer token of OAuth 2.0.
struct Token {
  std::string text;
  std::optional<WallTime> expires = {};  // absent: never
  bool operator==(const Token&) const = default;
};

using TokenProvider = ProviderOf<Token>;
using TokenChain = ChainOf<Token>;

// The providers in the order of Google's application default credentials: the file that `named_file` (may be empty),
// or else GOOGLE_APPLICATION_CREDENTIALS names; what `gcloud auth application-default login` has written
// (CLOUDSDK_CONFIG, else below HOME); the metadata server (GCE_METADATA_HOST; NO_GCE_CHECK=true leaves it out). Files
// are read anew for each token.
std::vector<TokenProvider> default_providers(const Environment& environment, const std::string& named_file);

// The token for a credentials file's text: of a service account's key, a user's refresh token, or a federated workload
// whose own token is in a file. Another kind, and what lacks a member, is denied; no message repeats a member but the
// kind. A server of tokens is reached over https, or on this machine.
Result<Token> token_by_file(std::string_view text, const std::stop_token& stop);

}  // namespace hearth::store::gcs
