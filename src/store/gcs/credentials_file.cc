// What a credentials file is exchanged for: token_by_file() of tokens.h.
#include <nlohmann/json.hpp>

#include "http/client.h"
#include "store/gcs/documents.h"
#include "store/gcs/options.h"
#include "store/gcs/tokens.h"
#include "util/file.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

using nlohmann::json;
using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

constexpr const char* kScope = "https://www.googleapis.com/auth/devstorage.read_write";
constexpr const char* kScopeOfImpersonators = "https://www.googleapis.com/auth/cloud-platform";
constexpr const char* kOAuth = "https://oauth2.googleapis.com/token";
constexpr std::chrono::seconds kLifetime{3600};
constexpr std::chrono::seconds kWrongClock{60};
constexpr std::uint64_t kLargestToken = 64 << 10;

std::string optional(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<std::string> required(const json& object, const char* name) {
  std::string text = optional(object, name);
  if (text.empty()) return fail(ErrorKind::denied, "the credentials file has no {}", name);
  return text;
}

Result<http::Answer> post(const std::string& url, const std::string& type, const std::string& content,
                          const std::string& bearer, const std::stop_token& stop) {
  if (!keeps_secrets(url)) return fail(ErrorKind::denied, "a server of tokens is https, or on this machine");
  http::Client client({.limits = {.connect = std::chrono::milliseconds(5'000),
                                  .no_progress = std::chrono::milliseconds(5'000),
                                  .total = std::chrono::milliseconds(20'000)},
                       .proxies = http::Proxies::as_environment,
                       .verification = http::Verification::full,
                       .ca_file = {},
                       .on_moved = {}});
  http::Request request{
      .method = "POST", .url = url, .headers = {{"Content-Type", type}}, .content = std::as_bytes(std::span(content))};
  if (!bearer.empty()) request.headers.push_back({"Authorization", "Bearer " + bearer});
  return client.send(request, stop);
}

Result<http::Answer> post_form(const std::string& url, Fields fields, const std::stop_token& stop) {
  std::string form;
  for (const auto& [name, value] : fields) {
    form += fmt::format("{}{}={}", form.empty() ? "" : "&", name, util::percent_encode(value));
  }
  return post(url, "application/x-www-form-urlencoded", form, "", stop);
}

// `now` is when the request was made: the token is never taken to live longer than it does.
Result<Token> token_of(const http::Answer& answer, WallTime now) {
  if (!answer.ok()) {
    const ErrorKind kind = http::kind_of_status(answer.status);
    return std::unexpected(Error{kind == ErrorKind::unavailable ? kind : ErrorKind::denied,
                                 fmt::format("the server of tokens answered {} {}", answer.status,
                                             util::shown(parse_token_error(answer.text()))),
                                 http::retry_after(answer.headers)});
  }
  TokenAnswer parsed = TRY(parse_token(answer.text()));
  Token token{std::move(parsed.token), parsed.until};
  if (parsed.lifetime) token.expires = now + *parsed.lifetime;
  return token;
}

std::string base64url(const std::string& text) {
  return util::to_base64url(std::as_bytes(std::span(text)));
}

struct ServiceAccount {
  std::string email;
  std::string key;
  std::string key_id;
  std::string url;
};

// RFC 7523 by RS256.
Result<std::string> assertion(const ServiceAccount& account, std::chrono::sys_seconds now) {
  json header = {{"alg", "RS256"}, {"typ", "JWT"}};
  if (!account.key_id.empty()) header["kid"] = account.key_id;
  const json claims = {{"iss", account.email},
                       {"scope", kScope},
                       {"aud", account.url},
                       {"iat", now.time_since_epoch().count()},
                       {"exp", (now + kLifetime).time_since_epoch().count()}};
  const auto dump = [](const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); };
  const std::string signed_part = base64url(dump(header)) + "." + base64url(dump(claims));
  const std::vector<std::byte> signature = TRY(util::sign_rsa_sha256(account.key, signed_part));
  return signed_part + "." + util::to_base64url(signature);
}

// A clock of ours that is wrong is put right by the server's Date, once.
Result<Token> by_key(const json& file, const std::stop_token& stop) {
  const std::string email = TRY(required(file, "client_email"));
  const std::string key = TRY(required(file, "private_key"));
  const std::string url = first_of({optional(file, "token_uri"), kOAuth});
  const ServiceAccount account{.email = email, .key = key, .key_id = optional(file, "private_key_id"), .url = url};
  const auto ask = [&](std::chrono::sys_seconds now) -> Result<http::Answer> {
    const std::string signed_claims = TRY(assertion(account, now));
    return post_form(url, {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", signed_claims}},
                     stop);
  };
  const WallTime now = std::chrono::system_clock::now();
  http::Answer answer = TRY(ask(std::chrono::floor<std::chrono::seconds>(now)));
  const auto theirs = http::date_of(answer.headers);
  if (answer.status == 400 && theirs && std::chrono::abs(*theirs - now) > kWrongClock) answer = TRY(ask(*theirs));
  return token_of(answer, now);
}

Result<Token> by_refresh_token(const json& file, const std::stop_token& stop) {
  const std::string id = TRY(required(file, "client_id"));
  const std::string secret = TRY(required(file, "client_secret"));
  const std::string refresh = TRY(required(file, "refresh_token"));
  const WallTime now = std::chrono::system_clock::now();
  const http::Answer answer = TRY(post_form(
      first_of({optional(file, "token_uri"), kOAuth}),
      {{"grant_type", "refresh_token"}, {"client_id", id}, {"client_secret", secret}, {"refresh_token", refresh}},
      stop));
  return token_of(answer, now);
}

// What the workload shows to be exchanged: a file's text, or a member of it if it is JSON.
Result<std::string> subject_token(const json& file) {
  const auto source = file.find("credential_source");
  const std::string path = source == file.end() ? "" : optional(*source, "file");
  if (path.empty()) {
    return fail(ErrorKind::denied, "of federated credentials only those with a credential_source in a file are known");
  }
  const std::string text = TRY(within("the workload's own token", util::read_file(path, kLargestToken)));
  const auto format = source->find("format");
  if (format == source->end() || optional(*format, "type") != "json") return std::string(util::trim(text));
  const std::string name = TRY(required(*format, "subject_token_field_name"));
  const std::string token = optional(json::parse(text, nullptr, false), name.c_str());
  if (token.empty()) return fail(ErrorKind::denied, "the workload's own token is not where its file should have it");
  return token;
}

Result<Token> impersonated(const std::string& url, const Token& federated, const std::stop_token& stop) {
  const json wanted = {{"scope", json::array({kScope})}, {"lifetime", fmt::format("{}s", kLifetime.count())}};
  const WallTime now = std::chrono::system_clock::now();
  const http::Answer answer = TRY(post(url, "application/json", wanted.dump(), federated.text, stop));
  return within("impersonating the service account", token_of(answer, now));
}

Result<Token> by_federation(const json& file, const std::stop_token& stop) {
  const std::string audience = TRY(required(file, "audience"));
  const std::string type = TRY(required(file, "subject_token_type"));
  const std::string url = TRY(required(file, "token_url"));
  const std::string impersonation = optional(file, "service_account_impersonation_url");
  const std::string subject = TRY(subject_token(file));
  const WallTime now = std::chrono::system_clock::now();
  const http::Answer answer = TRY(post_form(url,
                                            {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
                                             {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
                                             {"audience", audience},
                                             {"scope", impersonation.empty() ? kScope : kScopeOfImpersonators},
                                             {"subject_token_type", type},
                                             {"subject_token", subject}},
                                            stop));
  const Token federated = TRY(token_of(answer, now));
  if (impersonation.empty()) return federated;
  return impersonated(impersonation, federated, stop);
}

}  // namespace

Result<Token> token_by_file(std::string_view text, const std::stop_token& stop) {
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object()) return fail(ErrorKind::denied, "the credentials file is no JSON object");
  const std::string kind = optional(file, "type");
  if (kind == "service_account") return by_key(file, stop);
  if (kind == "authorized_user") return by_refresh_token(file, stop);
  if (kind == "external_account") return by_federation(file, stop);
  return fail(ErrorKind::denied, "credentials of the type \"{}\" are not supported", util::shown(kind));
}

}  // namespace hearth::store::gcs
