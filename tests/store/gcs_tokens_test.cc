#include "store/gcs/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "store/local_factory.h"
#include "support/http_double.h"
#include "support/rsa_key.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

using nlohmann::json;
using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAnswer = R"({"access_token": "ya29.a", "expires_in": 3599, "token_type": "Bearer"})";

// Nothing of this machine is looked at.
Environment nowhere() {
  return {{"HOME", "/nonexistent"}, {"NO_GCE_CHECK", "true"}};
}

Result<Token> find(const Environment& environment, const std::string& named = "") {
  return TokenChain("Google Cloud Storage", default_providers(environment, named), std::chrono::system_clock::now)
      .get({});
}

void expect_about_an_hour(const Token& token) {
  const WallTime now = std::chrono::system_clock::now();
  ASSERT_TRUE(token.expires);
  EXPECT_GT(*token.expires, now + std::chrono::minutes(58));
  EXPECT_LE(*token.expires, now + std::chrono::minutes(60));
}

// To make one takes a while.
const support::RsaKey& some_key() {
  static const support::RsaKey key;
  return key;
}

json account(const support::RsaKey& key, const std::string& url) {
  return {{"type", "service_account"},
          {"private_key_id", "key-1"},
          {"private_key", key.pem()},
          {"client_email", "builder@project.invalid"},
          {"token_uri", url}};
}

// The value of a form's field.
std::string field(const std::string& form, const std::string& name) {
  for (const std::string_view part : util::split(form, '&')) {
    if (part.starts_with(name + "=")) return util::percent_decode(part.substr(name.size() + 1)).value();
  }
  return "";
}

std::string decoded(std::string_view base64url) {
  std::string text(base64url);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  text.append((4 - text.size() % 4) % 4, '=');
  const auto bytes = util::from_base64(text).value();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(GcsTokens, AServiceAccountSignsWhatItClaims) {
  HttpDouble server([](const SeenRequest&) { return reply(200, kAnswer); });
  const support::RsaKey& key = some_key();
  const auto token = token_by_file(account(key, server.origin() + "/token").dump(), {});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->text, "ya29.a");
  expect_about_an_hour(*token);
  const SeenRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(field(seen.body, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
  const std::string assertion = field(seen.body, "assertion");
  const auto parts = util::split(assertion, '.');
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(json::parse(decoded(parts[0])), (json{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", "key-1"}}));
  const json claims = json::parse(decoded(parts[1]));
  EXPECT_EQ(claims["iss"], "builder@project.invalid");
  EXPECT_EQ(claims["aud"], server.origin() + "/token");
  EXPECT_EQ(claims["scope"], "https://www.googleapis.com/auth/devstorage.read_write");
  EXPECT_EQ(claims["exp"].get<long>() - claims["iat"].get<long>(), 3600);
  const std::string signature = decoded(parts[2]);
  EXPECT_TRUE(key.has_signed(assertion.substr(0, assertion.rfind('.')), std::as_bytes(std::span(signature))));
}

TEST(GcsTokens, AWrongClockIsPutRightByTheServer) {
  HttpDouble server([](const SeenRequest& request) {
    const std::string assertion = field(request.body, "assertion");
    const long issued = json::parse(decoded(util::split(assertion, '.')[1]))["iat"].get<long>();
    if (issued == 1717236000) return reply(200, kAnswer);
    return reply(400, R"({"error": "invalid_grant"})", "Date: Sat, 01 Jun 2024 10:00:00 GMT\r\n");
  });
  const auto token = token_by_file(account(some_key(), server.origin()).dump(), {});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(GcsTokens, AUserHasARefreshToken) {
  HttpDouble server([](const SeenRequest&) { return reply(200, kAnswer); });
  const json file = {{"type", "authorized_user"},
                     {"client_id", "id"},
                     {"client_secret", "a&b"},
                     {"refresh_token", "r+"},
                     {"token_uri", server.origin()}};
  const auto token = token_by_file(file.dump(), {});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(server.requests().at(0).body,
            "grant_type=refresh_token&client_id=id&client_secret=a%26b&refresh_token=r%2B");
}

class Federated : public testing::Test {
 protected:
  json file() const {
    return {{"type", "external_account"},
            {"audience", "//iam/pool"},
            {"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"},
            {"token_url", server_.origin() + "/sts"},
            {"credential_source", {{"file", path_}}}};
  }

  const std::shared_ptr<util::TempDir> directory_ = temporary_directory();
  const std::string path_ = directory_->path() / "subject";
  HttpDouble server_{[](const SeenRequest& request) {
    if (request.target == "/sts") return reply(200, R"({"access_token": "federated", "expires_in": 3599})");
    if (request.header("authorization") != "Bearer federated") return reply(401);
    return reply(200, R"({"accessToken": "impersonated", "expireTime": "2030-01-01T00:00:00Z"})");
  }};
};

TEST_F(Federated, ATextIsExchanged) {
  ASSERT_TRUE(util::write_file(path_, "subject+token\n"));
  const auto token = token_by_file(file().dump(), {});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->text, "federated");
  expect_about_an_hour(*token);
  const std::string form = server_.requests().at(0).body;
  EXPECT_EQ(field(form, "grant_type"), "urn:ietf:params:oauth:grant-type:token-exchange");
  EXPECT_EQ(field(form, "requested_token_type"), "urn:ietf:params:oauth:token-type:access_token");
  EXPECT_EQ(field(form, "audience"), "//iam/pool");
  EXPECT_EQ(field(form, "subject_token"), "subject+token");
  EXPECT_EQ(field(form, "scope"), "https://www.googleapis.com/auth/devstorage.read_write");
}

TEST_F(Federated, AMemberOfAJsonFileMayImpersonateAServiceAccount) {
  ASSERT_TRUE(util::write_file(path_, R"({"id_token": "subject"})"));
  json wanted = file();
  wanted["credential_source"]["format"] = {{"type", "json"}, {"subject_token_field_name", "id_token"}};
  wanted["service_account_impersonation_url"] = server_.origin() + "/impersonate";
  const auto token = token_by_file(wanted.dump(), {});
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->text, "impersonated");
  EXPECT_EQ(token->expires, util::parse_utc_timestamp("2030-01-01T00:00:00Z"));
  EXPECT_EQ(field(server_.requests().at(0).body, "subject_token"), "subject");
  EXPECT_EQ(field(server_.requests().at(0).body, "scope"), "https://www.googleapis.com/auth/cloud-platform");
  EXPECT_EQ(json::parse(server_.requests().at(1).body),
            (json{{"scope", {"https://www.googleapis.com/auth/devstorage.read_write"}}, {"lifetime", "3600s"}}));
}

TEST_F(Federated, OtherSourcesAreDenied) {
  json wanted = file();
  wanted["credential_source"] = {{"url", "http://169.254.169.254/"}};
  EXPECT_EQ(token_by_file(wanted.dump(), {}).error().kind, ErrorKind::denied);
  EXPECT_TRUE(server_.requests().empty());
}

TEST(GcsTokens, WhatCannotBeUsedIsDeniedAndNotShown) {
  const HttpDouble refusing([](const SeenRequest&) { return reply(400, R"({"error": "invalid_grant"})"); });
  const std::string user = R"({"type": "authorized_user", "client_id": "x", "client_secret": "hidden", )";
  const std::string files[] = {"hidden",
                               R"(["hidden"])",
                               R"({"type": "gdch_service_account", "private_key": "hidden"})",
                               R"({"type": "service_account", "client_email": "x", "private_key": "hidden"})",
                               R"({"type": "service_account", "private_key": "hidden"})",
                               user + "\"refresh_token\": 7}",
                               user + R"("refresh_token": "hidden", "token_uri": "http://example.com/token"})",
                               user + R"("refresh_token": "hidden", "token_uri": ")" + refusing.origin() + "\"}"};
  for (const std::string& file : files) {
    const auto token = token_by_file(file, {});
    ASSERT_FALSE(token) << file;
    EXPECT_EQ(token.error().kind, ErrorKind::denied) << file;
    EXPECT_THAT(token.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(GcsTokens, AServerOfTokensThatFailsIsUnavailable) {
  const Reply faults[] = {reply(503),
                          reply(429),
                          reply(200, "{}"),
                          reply(200, "no json"),
                          reply(200, R"({"access_token": "with\nline"})"),
                          {"", support::Then::reset}};
  for (const Reply& fault : faults) {
    const HttpDouble server([&](const SeenRequest&) { return fault; });
    const auto token = token_by_file(account(some_key(), server.origin()).dump(), {});
    ASSERT_FALSE(token) << fault.bytes;
    EXPECT_EQ(token.error().kind, ErrorKind::unavailable) << token.error().message;
  }
}

TEST(GcsTokens, PlacesAreAskedInTheirOrder) {
  HttpDouble server([](const SeenRequest& request) {
    if (request.target == "/computeMetadata/v1/instance/service-accounts/default/token") {
      EXPECT_EQ(request.header("metadata-flavor"), "Google");
      return reply(200, R"({"access_token": "of-the-machine", "expires_in": 3599})", "Metadata-Flavor: Google\r\n");
    }
    return reply(200, fmt::format(R"({{"access_token": "{}"}})", field(request.body, "refresh_token")));
  });
  const auto directory = temporary_directory();
  const auto write = [&](const std::string& name) {
    const json file = {{"type", "authorized_user"},
                       {"client_id", "x"},
                       {"client_secret", "x"},
                       {"refresh_token", name},
                       {"token_uri", server.origin()}};
    EXPECT_TRUE(util::write_file(directory->path() / name, file.dump()));
    return (directory->path() / name).string();
  };
  Environment environment = {{"HOME", "/nonexistent"}, {"GCE_METADATA_HOST", server.host()}};
  EXPECT_EQ(find(environment)->text, "of-the-machine");
  write("application_default_credentials.json");
  environment["CLOUDSDK_CONFIG"] = directory->path();
  EXPECT_EQ(find(environment)->text, "application_default_credentials.json");
  environment["GOOGLE_APPLICATION_CREDENTIALS"] = write("of-the-environment");
  EXPECT_EQ(find(environment)->text, "of-the-environment");
  EXPECT_EQ(find(environment, write("of-the-url"))->text, "of-the-url");
  environment["GOOGLE_APPLICATION_CREDENTIALS"] = directory->path() / "absent";
  EXPECT_EQ(find(environment).error().kind, ErrorKind::denied);
}

TEST(GcsTokens, AMetadataServerThatIsBusyIsNoAbsentOne) {
  for (const int status : {429, 500, 503}) {
    const HttpDouble server([status](const SeenRequest&) { return reply(status); });
    EXPECT_EQ(find({{"GCE_METADATA_HOST", server.host()}}).error().kind, ErrorKind::unavailable) << status;
  }
  std::atomic<int> asked = 0;
  const HttpDouble breaks([&](const SeenRequest&) {
    if (++asked == 1) return Reply{"", support::Then::reset};
    return reply(200, R"({"access_token": "x"})", "Metadata-Flavor: Google\r\n");
  });
  EXPECT_TRUE(find({{"GCE_METADATA_HOST", breaks.host()}}));
}

TEST(GcsTokens, WhereThereAreNoneTheMessageSaysWhereItLooked) {
  EXPECT_EQ(find(nowhere()).error().message,
            "no credentials for Google Cloud Storage were found (looked into: GOOGLE_APPLICATION_CREDENTIALS, "
            "gcloud's application default credentials, the metadata server)");
  const HttpDouble other([](const SeenRequest&) { return reply(200, R"({"access_token": "x"})"); });
  EXPECT_EQ(find({{"GCE_METADATA_HOST", other.host()}}).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace hearth::store::gcs
