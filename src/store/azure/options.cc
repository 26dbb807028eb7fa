#include "store/azure/options.h"

#include <algorithm>
#include <array>

namespace hearth::store::azure {
namespace {

constexpr std::string_view kSchemeEnd = "://";

bool is_account(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, allowed);
}

// 3 to 63 lower-case letters, digits and single '-'.
Result<void> check_container(std::string_view text) {
  if (text == "$root") {
    return fail(ErrorKind::invalid, "the root container cannot be a store: its blobs have no '/' in their names");
  }
  const bool bounded = text.size() >= 3 && text.size() <= 63 && !text.starts_with('-') && !text.ends_with('-');
  if (bounded && is_account(text) && !text.contains("--")) return {};
  return fail(ErrorKind::invalid, "a container's name has 3 to 63 lower-case letters, digits and single '-'");
}

Result<std::string> checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::size_t scheme = endpoint.find(kSchemeEnd);
  const std::string_view rest =
      scheme == std::string::npos ? std::string_view() : std::string_view(endpoint).substr(scheme + kSchemeEnd.size());
  const bool known = http::has_scheme(endpoint, "http") || http::has_scheme(endpoint, "https");
  if (!known || rest.empty() || rest.starts_with('/') || rest.find_first_of("?#@ ") != std::string_view::npos) {
    return fail(ErrorKind::invalid, "an Azure endpoint is http(s)://HOST[:PORT][/PATH]");
  }
  return endpoint;
}

Result<std::string> read_tier(Parameters& parameters) {
  std::string tier = parameters.text("access-tier").value_or("");
  constexpr std::array<std::string_view, 4> kKnown = {"", "Hot", "Cool", "Cold"};
  if (std::ranges::find(kKnown, tier) != kKnown.end()) return tier;
  return fail(ErrorKind::invalid, "the store's parameter access-tier is Hot, Cool or Cold");
}

Result<Auth> read_auth(Parameters& parameters, const Environment& environment) {
  struct Name {
    std::string_view name;
    Auth auth;
  };
  constexpr std::array kNames{Name{"", Auth::any},
                              Name{"key", Auth::key},
                              Name{"sas", Auth::sas},
                              Name{"workload-identity", Auth::workload_identity},
                              Name{"managed-identity", Auth::managed_identity},
                              Name{"login", Auth::login}};
  const std::string name = parameters.text("auth").value_or(variable(environment, "AZURE_STORAGE_AUTH_MODE"));
  const auto found = std::ranges::find(kNames, name, &Name::name);
  if (found != kNames.end()) return found->auth;
  return fail(ErrorKind::invalid, "auth is key, sas, workload-identity, managed-identity or login");
}

// Account, endpoint and key of the emulators, as far as nothing else was said of them.
void complete(AzureOptions& options, ConnectionString& connection, const Environment& environment) {
  const bool development = options.account == kDevelopmentAccount;
  if (options.endpoint.empty()) {
    options.endpoint = development ? std::string(kDevelopmentEndpoint)
                                   : fmt::format("https://{}.blob.core.windows.net", options.account);
  }
  const bool configured = !connection.key.empty() || !connection.sas.empty() ||
                          !variable(environment, "AZURE_STORAGE_KEY").empty() ||
                          !variable(environment, "AZURE_STORAGE_SAS_TOKEN").empty();
  if (development && !configured) connection.key = kDevelopmentKey;
}

}  // namespace

Result<Configuration> read_options(StoreUrl url, const Environment& environment) {
  AzureOptions options;
  options.container = url.bucket;
  options.prefix = url.prefix;
  options.shown = url.shown();
  TRY(check_container(options.container));
  Parameters& parameters = url.parameters;
  ConnectionString connection =
      TRY(within("AZURE_STORAGE_CONNECTION_STRING",
                 parse_connection_string(variable(environment, "AZURE_STORAGE_CONNECTION_STRING"))));
  const std::string given = parameters.text("account").value_or("");
  if (!given.empty() && !connection.account.empty() && given != connection.account) {
    return fail(ErrorKind::invalid, "AZURE_STORAGE_CONNECTION_STRING is of another account than the store's URL");
  }
  options.account = first_of({given, connection.account, variable(environment, "AZURE_STORAGE_ACCOUNT")});
  if (!is_account(options.account)) {
    return fail(ErrorKind::invalid, "{} needs an account: ?account=NAME, or AZURE_STORAGE_ACCOUNT", options.shown);
  }
  options.endpoint = first_of({parameters.text("endpoint").value_or(""), connection.endpoint,
                               variable(environment, "AZURE_STORAGE_SERVICE_ENDPOINT")});
  complete(options, connection, environment);
  options.endpoint = TRY(checked_endpoint(options.endpoint));
  const Auth auth = TRY(read_auth(parameters, environment));
  const IdentityOptions identity{.client_id = parameters.text("client-id").value_or("")};
  options.access_tier = TRY(read_tier(parameters));
  options.transfers = TRY(parameters.number("transfers", 1, 64)).value_or(options.transfers);
  TRY(read_limits(parameters, options.http.limits));
  TRY(parameters.check_all_taken());
  return Configuration{std::move(options), default_providers(environment, connection, auth, identity)};
}

}  // namespace hearth::store::azure
