// Tokens of Microsoft Entra ID for identities that need no secret of ours.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "http/client.h"
#include "store/azure/credentials.h"
#include "store/azure/options.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

using Found = Result<std::optional<Credentials>>;

constexpr std::string_view kResource = "https://storage.azure.com/";
constexpr std::uint64_t kLargestToken = 64 << 10;
constexpr int kGone = 410;

// Azure writes numbers as numbers or as text.
std::optional<std::int64_t> number(const nlohmann::json& json, const char* name) {
  const auto member = json.is_object() ? json.find(name) : json.end();
  if (member == json.end()) return std::nullopt;
  if (member->is_number_integer()) return member->get<std::int64_t>();
  if (!member->is_string()) return std::nullopt;
  const std::string text = member->get<std::string>();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string text(const nlohmann::json& json, const char* name) {
  const auto member = json.is_object() ? json.find(name) : json.end();
  return member != json.end() && member->is_string() ? member->get<std::string>() : "";
}

// From its life, which does without our clock, else from its end (App Service); a minute for a token that says neither.
WallTime expiry(const nlohmann::json& json, WallTime now) {
  constexpr std::int64_t kDay = 24 * 3600;
  std::int64_t left = 60;
  if (const auto lives = number(json, "expires_in")) {
    left = *lives;
  } else if (const auto ends = number(json, "expires_on")) {
    const auto today = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
    left = *ends > today ? *ends - today : 0;
  }
  return now + std::chrono::seconds(std::clamp<std::int64_t>(left, 0, 2 * kDay));
}

// The server's short name of an error; its description may quote the request.
ErrorKind kind_of_refusal(int status) {
  if (status == kGone) return ErrorKind::unavailable;  // the metadata service is being renewed
  const ErrorKind kind = http::kind_of_status(status);
  return kind == ErrorKind::unavailable ? kind : ErrorKind::denied;
}

Result<Credentials> parse_token(const http::Answer& answer) {
  // Read in place and never copied: copying is recursive, and the depth is a stranger's.
  const auto json = nlohmann::json::parse(answer.text(), nullptr, false);
  if (!answer.ok()) {
    const std::string error = text(json, "error");
    return std::unexpected(
        Error{kind_of_refusal(answer.status),
              fmt::format("the server answered {}{}{}", answer.status, error.empty() ? "" : " ", util::shown(error)),
              http::retry_after(answer.headers)});
  }
  std::string token = text(json, "access_token");
  const bool clean = std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !clean) return fail(ErrorKind::unavailable, "the server sent no token");
  return Credentials{Bearer{std::move(token)}, expiry(json, std::chrono::system_clock::now())};
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string encoded;
  for (const auto& [name, value] : fields) {
    encoded += fmt::format("{}{}={}", encoded.empty() ? "" : "&", name, util::percent_encode(value));
  }
  return encoded;
}

struct Workload {
  std::string token_file;
  std::string tenant;
  std::string client;
  std::string authority;  // without '/' at its end
};

Found from_workload(const Workload& workload, const std::stop_token& stop) {
  if (workload.token_file.empty()) return std::nullopt;
  if (workload.tenant.empty() || workload.client.empty()) {
    return fail(ErrorKind::denied, "AZURE_FEDERATED_TOKEN_FILE needs AZURE_TENANT_ID and AZURE_CLIENT_ID");
  }
  if (!keeps_secrets(workload.authority)) return fail(ErrorKind::denied, "AZURE_AUTHORITY_HOST is not https");
  const std::string token = TRY(within("the federated token", util::read_file(workload.token_file, kLargestToken)));
  const std::string content = form({{"client_id", workload.client},
                                    {"scope", fmt::format("{}.default", kResource)},
                                    {"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
                                    {"client_assertion", util::trim(token)},
                                    {"grant_type", "client_credentials"}});
  http::Client client = quick_client(http::Proxies::as_environment, std::chrono::milliseconds(5'000));
  const http::Request request{
      .method = "POST",
      .url = fmt::format("{}/{}/oauth2/v2.0/token", workload.authority, util::percent_encode(workload.tenant)),
      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
      .content = std::as_bytes(std::span(content))};
  const http::Answer answer = TRY(client.send(request, stop));
  return TRY(parse_token(answer));
}

std::string with_client(std::string query, const std::string& client) {
  return client.empty() ? query : fmt::format("{}&client_id={}", query, util::percent_encode(client));
}

// App Service, Functions, Container Apps.
Result<Credentials> from_endpoint(const std::string& endpoint, const std::string& header, const std::string& client,
                                  const std::stop_token& stop) {
  const std::string query = fmt::format("api-version=2019-08-01&resource={}", util::percent_encode(kResource));
  http::Client quick = quick_client(http::Proxies::none, std::chrono::milliseconds(2'000));
  const http::Request request{
      .method = "GET", .url = endpoint + "?" + with_client(query, client), .headers = {{"X-IDENTITY-HEADER", header}}};
  const http::Answer answer = TRY(quick.send(request, stop));
  return parse_token(answer);
}

// Where nobody answers, or another cloud's service does, this is no machine of Azure.
Found from_instance(const std::string& base, const std::string& client, const std::stop_token& stop) {
  const std::string query = fmt::format("api-version=2018-02-01&resource={}", util::percent_encode(kResource));
  http::Client service = metadata_client();
  const http::Request request{.method = "GET",
                              .url = base + "/metadata/identity/oauth2/token?" + with_client(query, client),
                              .headers = {{"Metadata", "true"}}};
  const std::optional<http::Answer> answer = TRY(ask_metadata_service(service, request, stop));
  if (!answer || answer->status == 404) return std::nullopt;
  return TRY(parse_token(*answer));
}

std::string without_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

CredentialProvider workload_identity(const Environment& environment, const IdentityOptions& identity) {
  const Workload workload{.token_file = variable(environment, "AZURE_FEDERATED_TOKEN_FILE"),
                          .tenant = variable(environment, "AZURE_TENANT_ID"),
                          .client = first_of({identity.client_id, variable(environment, "AZURE_CLIENT_ID")}),
                          .authority = without_slash(first_of(
                              {variable(environment, "AZURE_AUTHORITY_HOST"), "https://login.microsoftonline.com"}))};
  return {"the workload identity", [workload](const std::stop_token& stop) { return from_workload(workload, stop); }};
}

CredentialProvider managed_identity(const Environment& environment, const IdentityOptions& identity) {
  const std::string client = first_of({identity.client_id, variable(environment, "AZURE_CLIENT_ID")});
  const std::string endpoint = variable(environment, "IDENTITY_ENDPOINT");
  const std::string header = variable(environment, "IDENTITY_HEADER");
  const std::string base =
      without_slash(first_of({variable(environment, "AZURE_POD_IDENTITY_AUTHORITY_HOST"), "http://169.254.169.254"}));
  return {"the managed identity", [client, endpoint, header, base](const std::stop_token& stop) -> Found {
            if (endpoint.empty() || header.empty()) return from_instance(base, client, stop);
            return TRY(from_endpoint(endpoint, header, client, stop));
          }};
}

}  // namespace hearth::store::azure
