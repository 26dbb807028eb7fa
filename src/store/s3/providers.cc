// Where credentials come from; the order is that of default_providers().
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "store/s3/credentials.h"
#include "store/s3/profile.h"
#include "store/s3/sigv4.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

using Found = Result<std::optional<Credentials>>;

constexpr std::uint64_t kLargestToken = 64 << 10;

Found static_keys(std::string access, std::string secret, std::string token) {
  if (access.empty() && secret.empty()) return std::nullopt;
  if (access.empty() || secret.empty()) {
    return fail(ErrorKind::denied, "only one of access key id and secret access key is set");
  }
  return Credentials{std::move(access), std::move(secret), std::move(token), std::nullopt};
}

Found from_environment(const Environment& environment) {
  return static_keys(variable(environment, "AWS_ACCESS_KEY_ID"), variable(environment, "AWS_SECRET_ACCESS_KEY"),
                     variable(environment, "AWS_SESSION_TOKEN"));
}

struct WebIdentity {
  std::string token_file;
  std::string role;
  std::string session = {};
  std::string endpoint = {};  // of STS, without a path
};

Result<Credentials> parse_assumed(std::string_view text) {
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  const pugi::xml_node answer = document.child("AssumeRoleWithWebIdentityResponse");
  const pugi::xml_node found = answer.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  Credentials credentials{found.child_value("AccessKeyId"), found.child_value("SecretAccessKey"),
                          found.child_value("SessionToken"),
                          util::parse_utc_timestamp(found.child_value("Expiration"))};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return fail(ErrorKind::unavailable, "STS sent no credentials");
  }
  return credentials;
}

// What STS says with 400, and may not say the next time.
constexpr std::array<std::string_view, 4> kPassing{"Throttling", "ThrottlingException", "RequestLimitExceeded",
                                                   "IDPCommunicationError"};

Found assume_role(const WebIdentity& identity, const std::stop_token& stop) {
  const std::string token = TRY(within("the web identity token", util::read_file(identity.token_file, kLargestToken)));
  const std::string form = canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                            {"Version", "2011-06-15"},
                                            {"RoleArn", identity.role},
                                            {"RoleSessionName", identity.session.empty() ? "hearth" : identity.session},
                                            {"WebIdentityToken", std::string(util::trim(token))}});
  http::Client client = quick_client(http::Proxies::as_environment, std::chrono::milliseconds(5'000));
  const http::Request request{.method = "POST",
                              .url = identity.endpoint + "/",
                              .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                              .content = std::as_bytes(std::span(form))};
  const http::Answer answer = TRY(client.send(request, stop));
  if (!answer.ok()) {
    pugi::xml_document document;
    document.load_buffer(answer.body.data(), answer.body.size());
    const std::string code = document.child("ErrorResponse").child("Error").child_value("Code");
    const bool busy = http::kind_of_status(answer.status) == ErrorKind::unavailable ||
                      std::ranges::find(kPassing, code) != kPassing.end();
    return std::unexpected(Error{busy ? ErrorKind::unavailable : ErrorKind::denied,
                                 fmt::format("STS answered {} {}", answer.status, util::shown(code)),
                                 http::retry_after(answer.headers)});
  }
  return TRY(parse_assumed(answer.text()));
}

std::string sts_endpoint(const Environment& environment, const std::string& region) {
  const std::string given = variable(environment, "AWS_ENDPOINT_URL_STS");
  if (!given.empty()) return given;
  return fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Found from_profile(const Environment& environment, const std::string& name, const std::string& region,
                   const std::stop_token& stop) {
  const Profile profile = TRY(read_profile(environment, name));
  const std::optional<Credentials> keys =
      TRY(static_keys(setting(profile, "aws_access_key_id"), setting(profile, "aws_secret_access_key"),
                      setting(profile, "aws_session_token")));
  if (keys) return keys;
  const std::string role = setting(profile, "role_arn");
  const std::string token_file = setting(profile, "web_identity_token_file");
  if (!role.empty() && !token_file.empty()) {
    return assume_role({.token_file = token_file,
                        .role = role,
                        .session = setting(profile, "role_session_name"),
                        .endpoint = sts_endpoint(environment, region)},
                       stop);
  }
  for (const char* other : {"role_arn", "credential_process", "sso_session", "sso_start_url"}) {
    if (profile.contains(other)) return fail(ErrorKind::denied, "{} is not supported here", other);
  }
  return std::nullopt;
}

Found from_web_identity(const Environment& environment, const std::string& region, const std::stop_token& stop) {
  const WebIdentity identity{.token_file = variable(environment, "AWS_WEB_IDENTITY_TOKEN_FILE"),
                             .role = variable(environment, "AWS_ROLE_ARN"),
                             .session = variable(environment, "AWS_ROLE_SESSION_NAME"),
                             .endpoint = sts_endpoint(environment, region)};
  if (identity.token_file.empty() || identity.role.empty()) return std::nullopt;
  return assume_role(identity, stop);
}

// The JSON document of containers and of instance metadata.
Result<Credentials> parse_document(const http::Answer& answer) {
  if (!answer.ok()) return fail(http::kind_of_status(answer.status), "the server answered {}", answer.status);
  const auto json = nlohmann::json::parse(answer.text(), nullptr, false);
  const auto text = [&json](const char* name) {
    const auto member = json.is_object() ? json.find(name) : json.end();
    return member != json.end() && member->is_string() ? member->get<std::string>() : std::string();
  };
  Credentials credentials{text("AccessKeyId"), text("SecretAccessKey"), text("Token"),
                          util::parse_utc_timestamp(text("Expiration"))};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return fail(ErrorKind::unavailable, "the server sent no credentials");
  }
  return credentials;
}

Found from_container(const Environment& environment, const std::stop_token& stop) {
  const std::string relative = variable(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string url = relative.empty() ? variable(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI")
                                           : "http://169.254.170.2" + relative;
  if (url.empty()) return std::nullopt;
  // The token goes with the request: beside this machine, to the addresses of ECS and EKS.
  if (!keeps_secrets(url, {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"}))
    return fail(ErrorKind::denied, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not https, nor a local address");
  std::string token = variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  const std::string file = variable(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!file.empty()) {
    const std::string text = TRY(within("the container's authorization token", util::read_file(file, kLargestToken)));
    token = util::trim(text);
  }
  http::Client client = quick_client(http::Proxies::none, std::chrono::milliseconds(2'000));
  http::Request request{.method = "GET", .url = url};
  if (!token.empty()) request.headers.push_back({"Authorization", token});
  const http::Answer answer = TRY(client.send(request, stop));
  return TRY(parse_document(answer));
}

Result<std::string> ask_metadata(http::Client& client, const http::Request& request, const std::stop_token& stop) {
  const http::Answer answer = TRY(client.send(request, stop));
  if (!answer.ok()) return fail(http::kind_of_status(answer.status), "{} answered", answer.status);
  return std::string(util::trim(answer.text()));
}

// Version 2 only: a token first. Where nobody answers, this is no instance.
Found from_instance(const Environment& environment, const std::stop_token& stop) {
  if (variable(environment, "AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  std::string base = variable(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base.empty()) base = "http://169.254.169.254";
  while (base.ends_with('/')) base.pop_back();
  http::Client client = metadata_client();
  const http::Request for_token{.method = "PUT",
                                .url = base + "/latest/api/token",
                                .headers = {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}},
                                .content = std::span<const std::byte>()};
  const std::optional<http::Answer> token = TRY(ask_metadata_service(client, for_token, stop));
  if (!token || !token->ok()) return std::nullopt;
  const http::Headers with_token = {{"X-aws-ec2-metadata-token", std::string(util::trim(token->text()))}};
  const std::string roles = base + "/latest/meta-data/iam/security-credentials/";
  const Result<std::string> role = ask_metadata(client, {.method = "GET", .url = roles, .headers = with_token}, stop);
  if (!role && role.error().kind == ErrorKind::not_found) return std::nullopt;  // an instance without a role
  if (!role) return std::unexpected(role.error());
  const std::string first(util::split(*role, '\n').front());
  const http::Answer answer = TRY(client.send(
      {.method = "GET", .url = roles + util::percent_encode(util::trim(first)), .headers = with_token}, stop));
  return TRY(parse_document(answer));
}

}  // namespace

std::vector<CredentialProvider> default_providers(const Environment& environment, const std::string& profile,
                                                  const std::string& region) {
  std::vector<CredentialProvider> providers;
  // A profile that was named in the store's URL is meant, whatever else the environment holds.
  if (profile.empty()) {
    providers.push_back(
        {"the environment", [environment](const std::stop_token&) { return from_environment(environment); }});
  }
  providers.push_back({"AWS's shared files", [environment, profile, region](const std::stop_token& stop) {
                         return from_profile(environment, profile, region, stop);
                       }});
  providers.push_back({"the web identity", [environment, region](const std::stop_token& stop) {
                         return from_web_identity(environment, region, stop);
                       }});
  providers.push_back({"the container's credentials",
                       [environment](const std::stop_token& stop) { return from_container(environment, stop); }});
  providers.push_back({"the instance's metadata",
                       [environment](const std::stop_token& stop) { return from_instance(environment, stop); }});
  return providers;
}

}  // namespace hearth::store::s3
