#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/azure/credentials.h"
#include "store/local_factory.h"
#include "support/http_double.h"

namespace hearth::store::azure {
namespace {

using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;
using testing::Not;

Result<Credentials> find(const Environment& environment, const std::string& client_id = "") {
  return ChainOf<Credentials>("Azure", default_providers(environment, {}, Auth::login, {.client_id = client_id}),
                              std::chrono::system_clock::now)
      .get({});
}

std::string token_of(const Result<Credentials>& found) {
  EXPECT_TRUE(found) << found.error().message;
  return found ? std::get<Bearer>(found->proof).token : "";
}

// Seconds until it expires.
double left(const Credentials& found) {
  return std::chrono::duration<double>(*found.expires - std::chrono::system_clock::now()).count();
}

class Workload : public testing::Test {
 protected:
  Environment environment(const HttpDouble& authority) {
    EXPECT_TRUE(util::write_file(directory_->path() / "token", "jwt+hidden\n"));
    return {{"AZURE_FEDERATED_TOKEN_FILE", directory_->path() / "token"},
            {"AZURE_TENANT_ID", "tenant"},
            {"AZURE_CLIENT_ID", "client"},
            {"AZURE_AUTHORITY_HOST", authority.origin() + "/"}};
  }
  std::shared_ptr<util::TempDir> directory_ = temporary_directory();
};

TEST_F(Workload, ATokenIsExchanged) {
  const HttpDouble authority(
      [](const SeenRequest&) { return reply(200, R"({"access_token": "TOKEN", "expires_in": 3599})"); });
  const auto found = find(environment(authority));
  EXPECT_EQ(token_of(found), "TOKEN");
  EXPECT_NEAR(left(*found), 3599, 5);
  const SeenRequest seen = authority.requests().at(0);
  EXPECT_EQ(seen.target, "/tenant/oauth2/v2.0/token");
  EXPECT_EQ(
      seen.body,
      "client_id=client&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_assertion_type=urn%3Aietf%3Aparams"
      "%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=jwt%2Bhidden&grant_type=client_credentials");
}

TEST_F(Workload, ARefusalIsDeniedAndTellsNoSecret) {
  const HttpDouble authority([](const SeenRequest&) {
    return reply(401, R"({"error": "invalid_client", "error_description": "AADSTS700016: jwt+hidden"})");
  });
  const auto found = find(environment(authority));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
  EXPECT_EQ(found.error().message, "the workload identity: the server answered 401 invalid_client");
}

TEST_F(Workload, FaultsAreUnavailable) {
  const Reply faults[] = {reply(503, "", "Retry-After: 4\r\n"),
                          reply(429),
                          reply(200, "{"),
                          reply(200, "[]"),
                          reply(200, R"({"access_token": "a\nb"})"),
                          reply(200, R"({"access_token": 1})"),
                          {"", support::Then::reset}};
  for (const Reply& fault : faults) {
    const HttpDouble authority([&](const SeenRequest&) { return fault; });
    const auto found = find(environment(authority));
    ASSERT_FALSE(found) << fault.bytes;
    EXPECT_EQ(found.error().kind, ErrorKind::unavailable) << found.error().message;
  }
  const HttpDouble authority([&](const SeenRequest&) { return faults[0]; });
  EXPECT_EQ(find(environment(authority)).error().retry_after, std::chrono::seconds(4));
}

TEST_F(Workload, TheTokenIsNotSentInTheOpen) {
  const HttpDouble authority([](const SeenRequest&) { return reply(500); });
  Environment open = environment(authority);
  open["AZURE_AUTHORITY_HOST"] = "http://login.example";
  EXPECT_THAT(find(open).error().message, HasSubstr("AZURE_AUTHORITY_HOST is not https"));
  Environment halved = environment(authority);
  halved.erase("AZURE_TENANT_ID");
  EXPECT_EQ(find(halved).error().kind, ErrorKind::denied);
  EXPECT_TRUE(authority.requests().empty());
}

TEST(AzureIdentity, OfTheInstance) {
  const HttpDouble metadata([](const SeenRequest& request) {
    if (request.header("metadata") != "true") return reply(400);
    return reply(200, R"({"access_token": "IMDS", "expires_in": "86399", "expires_on": "1700000000"})");
  });
  const Environment environment = {{"AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.origin()}};
  const auto found = find(environment);
  EXPECT_EQ(token_of(found), "IMDS");
  EXPECT_NEAR(left(*found), 86399, 5);
  EXPECT_EQ(token_of(find(environment, "my id")), "IMDS");
  EXPECT_EQ(metadata.requests().at(0).target,
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F");
  EXPECT_THAT(metadata.requests().at(1).target, HasSubstr("&client_id=my%20id"));
}

TEST(AzureIdentity, OfTheAppService) {
  const HttpDouble service([](const SeenRequest&) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    return reply(200, fmt::format(R"({{"access_token": "APP", "expires_on": "{}"}})", now.count() + 7200));
  });
  const auto found = find({{"IDENTITY_ENDPOINT", service.origin() + "/msi/token"}, {"IDENTITY_HEADER", "hidden"}});
  EXPECT_EQ(token_of(found), "APP");
  EXPECT_NEAR(left(*found), 7200, 5);
  EXPECT_EQ(service.requests().at(0).header("x-identity-header"), "hidden");
  EXPECT_EQ(service.requests().at(0).target,
            "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F");
}

TEST(AzureIdentity, WhereThereIsNoneTheMessageSaysWhereItLooked) {
  const HttpDouble other_cloud([](const SeenRequest&) { return reply(404); });
  for (const std::string& host : {other_cloud.origin(), std::string("http://127.0.0.1:1")}) {
    const auto found = find({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", host}});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::denied);
    EXPECT_THAT(found.error().message, HasSubstr("looked into: the workload identity, the managed identity"));
  }
}

TEST(AzureIdentity, AnAnswerOfAnyDepthIsRead) {
  const std::string deep(500'000, '[');
  const std::string body = R"({"access_token": "T", "expires_in": 60, "x": )" + deep + std::string(500'000, ']') + "}";
  for (const int status : {200, 400}) {
    const HttpDouble service([&](const SeenRequest&) { return reply(status, body); });
    EXPECT_EQ(find({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", service.origin()}}).has_value(), status == 200);
  }
}

TEST(AzureIdentity, AMachineWithoutAnIdentityIsDeniedAndABusyServiceIsNot) {
  const HttpDouble none([](const SeenRequest&) {
    return reply(400, R"({"error": "invalid_request", "error_description": "Identity not found"})");
  });
  const auto found = find({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", none.origin()}});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
  EXPECT_THAT(found.error().message, HasSubstr("400 invalid_request"));
  for (const int status : {410, 429, 500}) {
    const HttpDouble busy([status](const SeenRequest&) { return reply(status); });
    EXPECT_EQ(find({{"AZURE_POD_IDENTITY_AUTHORITY_HOST", busy.origin()}}).error().kind, ErrorKind::unavailable);
  }
}

}  // namespace
}  // namespace hearth::store::azure
