#include "store/swift/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/fake_swift.h"

namespace hearth::store::swift {
namespace {

using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// As the Identity API's documentation has them, with two regions and three interfaces.
constexpr std::string_view kV3 = R"({"token": {"methods": ["password"], "expires_at": "2015-11-07T01:58:43.578929Z",
  "issued_at": "2015-11-07T00:58:43.578955Z", "project": {"id": "p", "name": "admin", "domain": {"id": "default"}},
  "catalog": [{"type": "identity", "name": "keystone", "endpoints": [{"interface": "public", "region": "north",
      "region_id": "north", "url": "http://wrong"}]},
    {"type": "object-store", "name": "swift", "id": "1", "endpoints": [
      {"interface": "admin", "region": "north", "region_id": "north", "id": "a", "url": "http://n-admin/v1"},
      {"interface": "public", "region": "north", "region_id": "north", "id": "b", "url": "http://n-public/v1/AUTH_p/"},
      {"interface": "public", "region": "south", "region_id": "south", "id": "c", "url": "http://s-public/v1/AUTH_p"},
      {"interface": "internal", "region": "south", "id": "d", "url": "http://s-internal/v1/AUTH_p"}]}]}})";

constexpr std::string_view kV2 = R"({"access": {"token": {"id": "hidden-token", "issued_at": "2014-01-30T15:30:58.819Z",
  "expires": "2014-01-31T15:30:58Z", "tenant": {"id": "t", "name": "demo", "enabled": true}},
  "serviceCatalog": [{"type": "compute", "name": "nova", "endpoints": [{"region": "one", "publicURL": "http://wrong"}]},
    {"type": "object-store", "name": "swift", "endpoints_links": [], "endpoints": [{"region": "one",
      "publicURL": "http://public/v1/AUTH_t", "internalURL": "http://internal/v1/AUTH_t", "adminURL": "http://a/v1"}]}],
  "user": {"id": "u", "username": "demo"}}})";

class Identity : public testing::Test {
 protected:
  Identity() {
    options_.login.auth_url = server_.origin() + "/v3";
    options_.login.user.name = "ann";
    options_.login.password = "hidden-password";
    options_.login.user_domain.id = "default";
    options_.interface = "public";
  }

  Result<Session> ask() {
    http::Client client({});
    return authenticate(client, options_, {});
  }
  SeenRequest last() const { return server_.requests().back(); }
  static Reply granted(std::string_view text) {
    return reply(201, text, "X-Subject-Token: hidden-token\r\nDate: Sat, 07 Nov 2015 00:58:43 GMT\r\n");
  }

  SwiftOptions options_;
  std::function<Reply(const SeenRequest&)> answer_ = [](const SeenRequest&) { return granted(kV3); };
  HttpDouble server_{[this](const SeenRequest& request) { return answer_(request); }};
};

TEST_F(Identity, PasswordOfVersion3) {
  options_.login.project.name = "admin \"x\"";
  options_.login.project_domain.name = "Default";
  const auto session = ask();
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->token, "hidden-token");
  EXPECT_EQ(session->storage_url, "http://n-public/v1/AUTH_p");
  const auto life = *session->expires - std::chrono::system_clock::now();
  EXPECT_GT(life, std::chrono::minutes(58));
  EXPECT_LE(life, std::chrono::minutes(60));
  EXPECT_EQ(last().method, "POST");
  EXPECT_EQ(last().target, "/v3/auth/tokens");
  EXPECT_EQ(last().header("content-type"), "application/json");
  EXPECT_EQ(
      last().body,
      R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"ann",)"
      R"("password":"hidden-password"}}},"scope":{"project":{"domain":{"name":"Default"},"name":"admin \"x\""}}}})");
}

TEST_F(Identity, IdsNeedNoDomain) {
  options_.login.user = {"u1", "ann"};
  options_.login.project = {"p1", ""};
  ASSERT_TRUE(ask());
  EXPECT_EQ(last().body, R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"u1",)"
                         R"("password":"hidden-password"}}},"scope":{"project":{"id":"p1"}}}})");
}

TEST_F(Identity, ApplicationCredentialsHaveNoScope) {
  options_.login.project.name = "admin";
  options_.login.application_credential = {"app", ""};
  options_.login.application_secret = "hidden-secret";
  ASSERT_TRUE(ask());
  EXPECT_EQ(last().body, R"({"auth":{"identity":{"application_credential":{"id":"app","secret":"hidden-secret"},)"
                         R"("methods":["application_credential"]}}})");
  options_.login.application_credential = {"", "name"};
  ASSERT_TRUE(ask());
  EXPECT_EQ(last().body, R"({"auth":{"identity":{"application_credential":{"name":"name","secret":"hidden-secret",)"
                         R"("user":{"domain":{"id":"default"},"name":"ann"}},"methods":["application_credential"]}}})");
}

TEST_F(Identity, RegionAndInterfaceChooseTheEndpoint) {
  options_.region = "south";
  EXPECT_EQ(ask()->storage_url, "http://s-public/v1/AUTH_p");
  options_.interface = "internal";
  EXPECT_EQ(ask()->storage_url, "http://s-internal/v1/AUTH_p");
  options_.region = "east";
  options_.interface = "public";
  const auto none = ask();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::invalid);
  EXPECT_THAT(none.error().message, HasSubstr("in the region east; there are: north, south"));
  options_.storage_url = "http://own/v1/x";
  EXPECT_EQ(ask()->storage_url, "http://own/v1/x");
}

TEST_F(Identity, Version2) {
  options_.login.version = AuthVersion::v2;
  options_.login.auth_url = server_.origin() + "/v2.0";
  options_.login.project.name = "demo";
  answer_ = [](const SeenRequest&) { return reply(200, kV2, "Date: Thu, 30 Jan 2014 15:30:58 GMT\r\n"); };
  const auto session = ask();
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->token, "hidden-token");
  EXPECT_EQ(session->storage_url, "http://public/v1/AUTH_t");
  EXPECT_GT(*session->expires - std::chrono::system_clock::now(), std::chrono::hours(23));
  EXPECT_EQ(last().target, "/v2.0/tokens");
  EXPECT_EQ(last().body,
            R"({"auth":{"passwordCredentials":{"password":"hidden-password","username":"ann"},"tenantName":"demo"}})");
  options_.interface = "internal";
  options_.login.project.id = "t";
  EXPECT_EQ(ask()->storage_url, "http://internal/v1/AUTH_t");
  EXPECT_THAT(last().body, HasSubstr(R"("tenantId":"t")"));
}

TEST_F(Identity, Version1) {
  options_.login.version = AuthVersion::v1;
  options_.login.auth_url = server_.origin() + "/auth/v1.0";
  answer_ = [](const SeenRequest&) {
    return Reply{"HTTP/1.1 204 X\r\nX-Auth-Token: hidden-token\r\nX-Storage-Url: http://s/v1/AUTH_x/\r\n\r\n"};
  };
  const auto session = ask();
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->token, "hidden-token");
  EXPECT_EQ(session->storage_url, "http://s/v1/AUTH_x");
  EXPECT_FALSE(session->expires);
  EXPECT_EQ(last().target, "/auth/v1.0");
  EXPECT_EQ(last().header("x-auth-user"), "ann");
  EXPECT_EQ(last().header("x-auth-key"), "hidden-password");
}

TEST_F(Identity, RefusalsAndFaultsAreToldApart) {
  const std::pair<Reply, ErrorKind> answers[] = {
      {reply(401, R"({"error": {"code": 401, "message": "hidden-echo", "title": "Unauthorized"}})"), ErrorKind::denied},
      {reply(403), ErrorKind::denied},
      {reply(400), ErrorKind::invalid},
      {reply(404), ErrorKind::invalid},
      {reply(300, "{}"), ErrorKind::invalid},
      {reply(503), ErrorKind::unavailable},
      {reply(429), ErrorKind::unavailable},
      {reply(201, kV3), ErrorKind::unavailable},  // without the token's header
      {granted("<html>"), ErrorKind::unavailable},
      {granted(R"({"token": 7})"), ErrorKind::unavailable},
      {granted(R"({"token": {"expires_at": "2015-11-07T01:58:43Z"}})"), ErrorKind::invalid},  // no catalog: no project
      {granted(R"({"token": {"catalog": [{"type": "object-store", "endpoints": [{"interface": "public",)"
               R"("region": "r", "url": "ftp://x"}]}]}})"),
       ErrorKind::invalid},
      {Reply{"HTTP/1.1 201 X\r\nContent-Length: 1000\r\n\r\n{", support::Then::close}, ErrorKind::unavailable}};
  for (const auto& [given, kind] : answers) {
    answer_ = [&given = given](const SeenRequest&) { return given; };
    const auto session = ask();
    ASSERT_FALSE(session) << given.bytes;
    EXPECT_EQ(session.error().kind, kind) << session.error().message;
    EXPECT_THAT(session.error().message, AllOf(HasSubstr("asking for a token"), Not(HasSubstr("hidden"))));
  }
}

TEST_F(Identity, ATokenThatCameByTlsGoesNowhereWithoutIt) {
  options_.login.version = AuthVersion::v1;
  options_.login.auth_url = "https://id.example/auth/v1.0";
  http::Answer answer{.status = 200,
                      .headers = {{"X-Auth-Token", "hidden-token"}, {"X-Storage-Url", "http://s.example/v1/x"}},
                      .body = {}};
  const auto refused = session_of(answer, options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("OS_STORAGE_URL"), Not(HasSubstr("hidden"))));
  options_.storage_url = "http://s.example/v1/x";
  EXPECT_TRUE(session_of(answer, options_));
  options_.storage_url = "";
  answer.headers.back().value = "https://s.example/v1/x";
  EXPECT_TRUE(session_of(answer, options_));
  for (const char* url : {"", "s.example/v1/x", "file:///etc/passwd"}) {
    answer.headers.back().value = url;
    EXPECT_EQ(session_of(answer, options_).error().kind, ErrorKind::invalid) << url;
  }
}

TEST(SwiftToken, IsAskedForOnceAndAgainAtTheFirst401) {
  FakeSwift fake;
  fake.set("pre/a", "x");
  SwiftStore store = fake.store();
  ASSERT_TRUE(store.get(key("a"), {}, {}));
  ASSERT_TRUE(store.get(key("a"), {}, {}));
  fake.revoke();
  ASSERT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_THAT(fake.seen(),
              testing::ElementsAre("GET /auth/v1.0", "GET /con%20tainer/pre/a", "GET /con%20tainer/pre/a",
                                   "GET /con%20tainer/pre/a", "GET /auth/v1.0", "GET /con%20tainer/pre/a"));
  fake.before([](const SeenRequest&) -> std::optional<Reply> { return reply(401); });
  const auto refused = store.get(key("a"), {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_EQ(fake.seen().size(), 9U);
}

TEST(SwiftToken, IsReplacedBeforeItExpires) {
  FakeSwift fake;
  fake.set("pre/a", "x");
  fake.login([&](const SeenRequest&) {
    return reply(200, "",
                 fmt::format("X-Auth-Token: {}\r\nX-Storage-Url: {}/v1/AUTH_ann\r\nX-Auth-Token-Expires: 0\r\n",
                             fake.token(), fake.server().origin()));
  });
  SwiftStore store = fake.store();
  ASSERT_TRUE(store.get(key("a"), {}, {}));
  fake.revoke();
  ASSERT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_EQ(fake.seen().size(), 4U);
}

}  // namespace
}  // namespace hearth::store::swift
