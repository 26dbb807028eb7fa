// Who asks Azure Blob Storage: an account's key, a shared access signature, or a token of Microsoft Entra ID.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "store/azure/connection_string.h"
#include "store/credential_chain.h"
#include "store/settings.h"

namespace hearth::store::azure {

struct AccountKey {
  std::string bytes;  // decoded
  bool operator==(const AccountKey&) const = default;
};
struct Sas {
  std::string query;  // percent-encoded as it was given out, without '?'
  bool operator==(const Sas&) const = default;
};
struct Bearer {
  std::string token;
  bool operator==(const Bearer&) const = default;
};

struct Credentials {
  std::variant<AccountKey, Sas, Bearer> proof;
  std::optional<WallTime> expires = {};  // absent: never, or not known
  bool operator==(const Credentials&) const = default;
};

using CredentialProvider = ProviderOf<Credentials>;

// Which of them may be used.
enum class Auth { any, key, sas, workload_identity, managed_identity, login };

struct IdentityOptions {
  std::string client_id;  // of the identity; "": AZURE_CLIENT_ID, and for a managed identity the machine's own
};

// The providers in this order: the connection string, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, workload identity
// (AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_AUTHORITY_HOST), managed identity
// (IDENTITY_ENDPOINT with IDENTITY_HEADER, as App Service and Container Apps have it, else the instance's metadata
// service, whose place AZURE_POD_IDENTITY_AUTHORITY_HOST can change). `auth` leaves out all others; login is both
// identities.
std::vector<CredentialProvider> default_providers(const Environment& environment, const ConnectionString& connection,
                                                  Auth auth, const IdentityOptions& identity);

// The two of them that fetch a token (identity.cc).
CredentialProvider workload_identity(const Environment& environment, const IdentityOptions& identity);
CredentialProvider managed_identity(const Environment& environment, const IdentityOptions& identity);

}  // namespace hearth::store::azure
