#include "store/azure/credentials.h"

#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

using Found = Result<std::optional<Credentials>>;

Found from_key(std::string_view base64) {
  if (base64.empty()) return std::nullopt;
  const auto bytes = util::from_base64(base64);
  if (!bytes || bytes->empty()) return fail(ErrorKind::denied, "the account's key is not base64");
  return Credentials{AccountKey{{reinterpret_cast<const char*>(bytes->data()), bytes->size()}}};
}

// `se`, when the signature ends, is no expiry here: nothing could renew it, and the server says so more clearly.
Found from_sas(std::string_view query) {
  query = util::trim(query);
  if (query.starts_with('?')) query.remove_prefix(1);
  if (query.empty()) return std::nullopt;
  for (const char c : query) {
    if (c <= ' ' || c >= 0x7f || c == '#') {
      return fail(ErrorKind::denied, "a shared access signature is a percent-encoded query (sv=…&sig=…)");
    }
  }
  return Credentials{Sas{std::string(query)}};
}

Found from_connection(const ConnectionString& connection, Auth auth) {
  if (auth != Auth::sas) {
    std::optional<Credentials> key = TRY(from_key(connection.key));
    if (key) return key;
  }
  return auth != Auth::key ? from_sas(connection.sas) : Found(std::nullopt);
}

}  // namespace

std::vector<CredentialProvider> default_providers(const Environment& environment, const ConnectionString& connection,
                                                  Auth auth, const IdentityOptions& identity) {
  const auto may = [auth](Auth one) { return auth == Auth::any || auth == one; };
  std::vector<CredentialProvider> providers;
  if (may(Auth::key) || may(Auth::sas)) {
    providers.push_back({"AZURE_STORAGE_CONNECTION_STRING",
                         [connection, auth](const std::stop_token&) { return from_connection(connection, auth); }});
  }
  if (may(Auth::key)) {
    const std::string key = variable(environment, "AZURE_STORAGE_KEY");
    providers.push_back({"AZURE_STORAGE_KEY", [key](const std::stop_token&) { return from_key(key); }});
  }
  if (may(Auth::sas)) {
    const std::string sas = variable(environment, "AZURE_STORAGE_SAS_TOKEN");
    providers.push_back({"AZURE_STORAGE_SAS_TOKEN", [sas](const std::stop_token&) { return from_sas(sas); }});
  }
  if (may(Auth::workload_identity) || auth == Auth::login) {
    providers.push_back(workload_identity(environment, identity));
  }
  if (may(Auth::managed_identity) || auth == Auth::login) providers.push_back(managed_identity(environment, identity));
  return providers;
}

}  // namespace hearth::store::azure
