#include "store/s3/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/local_factory.h"
#include "support/http_double.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

using support::HttpDouble;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;

constexpr std::string_view kDocument =
    R"({"AccessKeyId": "DOC", "SecretAccessKey": "s", "Token": "t", "Expiration": "2030-01-01T00:00:00Z"})";

// Nothing of this machine is looked at: neither files nor instance metadata.
Environment nowhere() {
  return {{"HOME", "/nonexistent"}, {"AWS_EC2_METADATA_DISABLED", "true"}};
}

Result<Credentials> find(const Environment& environment, const std::string& profile = "") {
  return CredentialChain(default_providers(environment, profile, "eu-west-1")).get({});
}

TEST(S3Credentials, OfTheEnvironmentComeFirst) {
  Environment environment = nowhere();
  environment["AWS_ACCESS_KEY_ID"] = "ENV";
  EXPECT_EQ(find(environment).error().kind, ErrorKind::denied);
  environment["AWS_SECRET_ACCESS_KEY"] = "s";
  environment["AWS_SESSION_TOKEN"] = "t";
  environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/";
  const auto found = find(environment);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key, "ENV");
  EXPECT_EQ(found->session_token, "t");
  EXPECT_FALSE(found->expires);
}

TEST(S3Credentials, OfTheSharedFilesByProfile) {
  const auto directory = temporary_directory();
  const std::string credentials = directory->path() / "credentials";
  const std::string config = directory->path() / "config";
  ASSERT_TRUE(util::write_file(credentials,
                               "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n\n[work]\n"
                               "aws_access_key_id = WORK\naws_secret_access_key = a=b\n"));
  ASSERT_TRUE(util::write_file(config,
                               "[profile work]\naws_access_key_id = OTHER\nregion = x\n[profile sso]\n"
                               "sso_session = x\n"));
  Environment environment = nowhere();
  environment["AWS_SHARED_CREDENTIALS_FILE"] = credentials;
  environment["AWS_CONFIG_FILE"] = config;
  EXPECT_EQ(find(environment)->access_key, "DEFAULT");
  environment["AWS_PROFILE"] = "work";
  EXPECT_EQ(find(environment)->access_key, "WORK");
  EXPECT_EQ(find(environment)->secret_key, "a=b");
  environment["AWS_ACCESS_KEY_ID"] = "ENV";
  environment["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(find(environment)->access_key, "ENV");
  EXPECT_EQ(find(environment, "work")->access_key, "WORK");
  EXPECT_THAT(find(environment, "sso").error().message, HasSubstr("sso_session is not supported"));
}

TEST(S3Credentials, OfTheWebIdentity) {
  HttpDouble sts([](const SeenRequest&) {
    return reply(200,
                 "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                 "<AccessKeyId>STS</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
                 "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                 "</AssumeRoleWithWebIdentityResponse>");
  });
  const auto directory = temporary_directory();
  ASSERT_TRUE(util::write_file(directory->path() / "token", "web+token\n"));
  Environment environment = nowhere();
  environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory->path() / "token";
  environment["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/x";
  environment["AWS_ENDPOINT_URL_STS"] = sts.origin();
  const auto found = find(environment);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key, "STS");
  EXPECT_EQ(found->expires, util::parse_utc_timestamp("2030-01-01T00:00:00Z"));
  EXPECT_EQ(sts.requests().at(0).body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&RoleSessionName=hearth&"
            "Version=2011-06-15&WebIdentityToken=web%2Btoken");
}

// A role that is had from STS at `origin` by a token that lies in the directory.
Environment with_role(const std::filesystem::path& directory, const std::string& origin) {
  EXPECT_TRUE(util::write_file(directory / "token", "hidden"));
  Environment environment = nowhere();
  environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory / "token";
  environment["AWS_ROLE_ARN"] = "role";
  environment["AWS_ENDPOINT_URL_STS"] = origin;
  return environment;
}

TEST(S3Credentials, ARoleThatIsRefusedIsDenied) {
  const HttpDouble sts([](const SeenRequest&) {
    return reply(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
  });
  const auto directory = temporary_directory();
  const Environment environment = with_role(directory->path(), sts.origin());
  const auto found = find(environment);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
  EXPECT_EQ(found.error().message, "the web identity: STS answered 403 AccessDenied");
}

TEST(S3Credentials, AThrottledRoleIsUnavailable) {
  constexpr const char* kThrottling = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
  for (const support::Reply& busy : {reply(429), reply(400, kThrottling)}) {
    const HttpDouble sts([&](const SeenRequest&) { return busy; });
    const auto directory = temporary_directory();
    const Environment environment = with_role(directory->path(), sts.origin());
    EXPECT_EQ(find(environment).error().kind, ErrorKind::unavailable);
  }
}

TEST(S3Credentials, AMissingTokenFileIsNoMissingObject) {
  Environment environment = nowhere();
  environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/nonexistent/token";
  environment["AWS_ROLE_ARN"] = "role";
  EXPECT_EQ(find(environment).error().kind, ErrorKind::denied);
}

TEST(S3Credentials, OfTheContainerWithItsToken) {
  HttpDouble agent([](const SeenRequest&) { return reply(200, kDocument); });
  const auto directory = temporary_directory();
  ASSERT_TRUE(util::write_file(directory->path() / "token", "from-file\n"));
  Environment environment = nowhere();
  environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = agent.origin() + "/v1/credentials";
  environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "from-variable";
  EXPECT_EQ(find(environment)->access_key, "DOC");
  environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = directory->path() / "token";
  EXPECT_EQ(find(environment)->session_token, "t");
  EXPECT_EQ(agent.requests().at(0).header("authorization"), "from-variable");
  EXPECT_EQ(agent.requests().at(1).header("authorization"), "from-file");
  for (const char* far : {"http://example.com/x", "http://127.0.0.1.example.com/x", "http://169.254.169.254/x"}) {
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = far;
    EXPECT_EQ(find(environment).error().kind, ErrorKind::denied) << far;
  }
}

TEST(S3Credentials, OfTheInstanceByVersionTwo) {
  HttpDouble metadata([](const SeenRequest& request) {
    if (request.method == "PUT") return reply(200, "imds-token");
    if (request.header("x-aws-ec2-metadata-token") != "imds-token") return reply(401);
    if (request.target == "/latest/meta-data/iam/security-credentials/") return reply(200, "the-role\n");
    if (request.target == "/latest/meta-data/iam/security-credentials/the-role") return reply(200, kDocument);
    return reply(404);
  });
  Environment environment = {{"HOME", "/nonexistent"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.origin() + "/"}};
  const auto found = find(environment);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key, "DOC");
  EXPECT_EQ(metadata.requests().at(0).header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
}

TEST(S3Credentials, AServiceThatIsBusyIsNoAbsentOne) {
  for (const int status : {429, 500, 503}) {
    HttpDouble metadata([status](const SeenRequest&) { return reply(status, "", "Retry-After: 3\r\n"); });
    const auto found = find({{"HOME", "/nonexistent"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.origin()}});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::unavailable) << found.error().message;
    EXPECT_EQ(found.error().retry_after, std::chrono::seconds(3));
    EXPECT_EQ(metadata.requests().size(), 1U);
  }
  const HttpDouble none([](const SeenRequest&) { return reply(403); });
  EXPECT_EQ(find({{"HOME", "/nonexistent"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", none.origin()}}).error().kind,
            ErrorKind::denied);
}

TEST(S3Credentials, AConnectionToTheServiceThatBreaksIsTriedOnceMore) {
  std::atomic<int> asked = 0;
  const HttpDouble metadata([&](const SeenRequest& request) {
    if (++asked == 1) return support::Reply{"", support::Then::reset};
    if (request.method == "PUT") return reply(200, "imds-token");
    return request.target.ends_with("the-role") ? reply(200, kDocument) : reply(200, "the-role");
  });
  const auto found = find({{"HOME", "/nonexistent"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.origin()}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key, "DOC");
}

TEST(S3Credentials, WhereThereAreNoneTheMessageSaysWhereItLooked) {
  const auto found = find(nowhere());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::denied);
  EXPECT_EQ(found.error().message,
            "no credentials for S3 were found (looked into: the environment, AWS's shared files, the web identity, the "
            "container's credentials, the instance's metadata)");
}

TEST(S3Credentials, AreRenewedFiveMinutesBeforeTheirEnd) {
  WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
  int asked = 0;
  bool fails = false;
  const CredentialProvider provider = {"the test", [&](const std::stop_token&) -> Result<std::optional<Credentials>> {
                                         ++asked;
                                         if (fails) return fail(ErrorKind::unavailable, "no answer");
                                         return Credentials{std::to_string(asked), "s", "",
                                                            now + std::chrono::minutes(60)};
                                       }};
  CredentialChain chain({provider}, [&now] { return now; });
  EXPECT_EQ(chain.get({})->access_key, "1");
  now += std::chrono::minutes(54);
  EXPECT_EQ(chain.get({})->access_key, "1");
  now += std::chrono::minutes(2);
  EXPECT_EQ(chain.get({})->access_key, "2");
  now += std::chrono::minutes(56);
  fails = true;
  EXPECT_EQ(chain.get({})->access_key, "2");  // still valid
  const int before = asked;
  EXPECT_EQ(chain.get({})->access_key, "2");
  EXPECT_EQ(asked, before);
  now += std::chrono::minutes(5);
  EXPECT_EQ(chain.get({}).error().kind, ErrorKind::unavailable);
  fails = false;
  const Credentials fresh = chain.get({}).value();
  chain.forget(fresh);
  EXPECT_NE(chain.get({})->access_key, fresh.access_key);
}

}  // namespace
}  // namespace hearth::store::s3
