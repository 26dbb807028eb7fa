#include "store/swift/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::store::swift {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<SwiftOptions> read(const std::string& url, const Environment& environment) {
  return read_options(parse_store_url(url).value(), environment);
}

Environment v1() {
  return {{"ST_AUTH", "https://swift.example/auth/v1.0/"}, {"ST_USER", "ann:ann"}, {"ST_KEY", "hidden"}};
}

Environment v3() {
  return {{"OS_AUTH_URL", "https://id.example:5000"}, {"OS_USERNAME", "ann"}, {"OS_PASSWORD", "hidden"}};
}

TEST(SwiftOptions, OfTheOldVariables) {
  const SwiftOptions options = read("swift://con/pre", v1()).value();
  EXPECT_EQ(options.container, "con");
  EXPECT_EQ(options.prefix, "pre/");
  EXPECT_EQ(options.shown, "swift://con/pre");
  EXPECT_EQ(options.login.version, AuthVersion::v1);
  EXPECT_EQ(options.login.auth_url, "https://swift.example/auth/v1.0");
  EXPECT_EQ(options.login.user.name, "ann:ann");
  EXPECT_EQ(options.login.password, "hidden");
  EXPECT_EQ(options.interface, "public");
  EXPECT_EQ(options.storage_url, "");
}

TEST(SwiftOptions, OfTheIdentityService) {
  Environment environment = v3();
  EXPECT_EQ(read("swift://c", environment)->login.version, AuthVersion::v3);
  EXPECT_EQ(read("swift://c", environment)->login.auth_url, "https://id.example:5000/v3");
  EXPECT_EQ(read("swift://c", environment)->login.user_domain.id, "default");
  environment["OS_AUTH_URL"] = "https://id.example/identity/v3/";
  environment["OS_PROJECT_NAME"] = "builds";
  environment["OS_PROJECT_DOMAIN_NAME"] = "Projects";
  environment["OS_USER_DOMAIN_ID"] = "u1";
  environment["OS_REGION_NAME"] = "north";
  environment["OS_ENDPOINT_TYPE"] = "internalURL";
  environment["OS_CACERT"] = "/ca.pem";
  SwiftOptions options = read("swift://c", environment).value();
  EXPECT_EQ(options.login.auth_url, "https://id.example/identity/v3");
  EXPECT_EQ(options.login.project.name, "builds");
  EXPECT_EQ(options.login.project_domain.name, "Projects");
  EXPECT_EQ(options.login.user_domain.id, "u1");
  EXPECT_EQ(options.region, "north");
  EXPECT_EQ(options.interface, "internal");
  EXPECT_EQ(options.http.ca_file, "/ca.pem");
  environment["OS_IDENTITY_API_VERSION"] = "2.0";
  environment["OS_AUTH_URL"] = "https://id.example";
  environment["OS_TENANT_ID"] = "t1";
  environment["OS_INTERFACE"] = "admin";
  options = read("swift://c", environment).value();
  EXPECT_EQ(options.login.version, AuthVersion::v2);
  EXPECT_EQ(options.login.auth_url, "https://id.example/v2.0");
  EXPECT_EQ(options.login.project.id, "t1");
  EXPECT_EQ(options.interface, "admin");
}

TEST(SwiftOptions, TheUrlComesBeforeTheVariables) {
  Environment environment = v3();
  environment["OS_REGION_NAME"] = "north";
  const SwiftOptions options = read(
                                   "swift://c?auth-url=http://h/auth/v1.0&region=south&interface=internal&"
                                   "storage-url=http://s/v1/x/&segment-size=64MiB&transfers=9&connect-timeout=1s&"
                                   "progress-timeout=2s&request-timeout=3s",
                                   environment)
                                   .value();
  EXPECT_EQ(options.login.version, AuthVersion::v1);
  EXPECT_EQ(options.login.auth_url, "http://h/auth/v1.0");
  EXPECT_EQ(options.login.user.name, "ann");
  EXPECT_EQ(options.region, "south");
  EXPECT_EQ(options.interface, "internal");
  EXPECT_EQ(options.storage_url, "http://s/v1/x");
  EXPECT_EQ(options.segment_size, std::uint64_t{64} << 20);
  EXPECT_EQ(options.transfers, 9U);
  EXPECT_EQ(options.http.limits.connect, std::chrono::seconds(1));
  EXPECT_EQ(options.http.limits.no_progress, std::chrono::seconds(2));
  EXPECT_EQ(options.http.limits.total, std::chrono::seconds(3));
  EXPECT_EQ(read("swift://c?auth-version=2&auth-url=http://h/x", environment)->login.auth_url, "http://h/x/v2.0");
}

TEST(SwiftOptions, AnApplicationCredentialNeedsNoUser) {
  Environment environment = {{"OS_AUTH_URL", "https://id.example/v3"}, {"OS_APPLICATION_CREDENTIAL_ID", "app"}};
  EXPECT_EQ(read("swift://c", environment).error().kind, ErrorKind::denied);
  environment["OS_APPLICATION_CREDENTIAL_SECRET"] = "hidden";
  EXPECT_EQ(read("swift://c", environment)->login.application_credential.id, "app");
  environment.erase("OS_APPLICATION_CREDENTIAL_ID");
  environment["OS_APPLICATION_CREDENTIAL_NAME"] = "by-name";
  EXPECT_THAT(read("swift://c", environment).error().message, HasSubstr("OS_USERNAME"));
  environment["OS_USERNAME"] = "ann";
  EXPECT_EQ(read("swift://c", environment)->login.application_credential.name, "by-name");
}

TEST(SwiftOptions, ATokenNeedsTheAddressOfTheAccount) {
  const Environment both = {{"OS_AUTH_TOKEN", "t"}, {"OS_STORAGE_URL", "https://s.example/v1/AUTH_x/"}};
  EXPECT_EQ(read("swift://c", both)->token, "t");
  EXPECT_EQ(read("swift://c", both)->storage_url, "https://s.example/v1/AUTH_x");
  EXPECT_EQ(read("swift://c", {{"OS_AUTH_TOKEN", "t"}}).error().kind, ErrorKind::denied);
}

TEST(SwiftOptions, WhatIsMissingIsNamed) {
  const auto nothing = read("swift://c", {});
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind, ErrorKind::denied);
  EXPECT_THAT(nothing.error().message, HasSubstr("OS_AUTH_URL, or ST_AUTH, ST_USER and ST_KEY"));
  Environment environment = v1();
  environment.erase("ST_KEY");
  EXPECT_THAT(read("swift://c", environment).error().message, HasSubstr("set ST_USER and ST_KEY"));
  environment["ST_KEY"] = "hidden\n";
  EXPECT_EQ(read("swift://c", environment).error().kind, ErrorKind::invalid);
  EXPECT_THAT(read("swift://c", environment).error().message, Not(HasSubstr("hidden")));
  environment = v3();
  environment["OS_PASSWORD"] = "";
  EXPECT_THAT(read("swift://c", environment).error().message, HasSubstr("OS_USERNAME and OS_PASSWORD"));
}

TEST(SwiftOptions, RefusesWhatCannotBeMeant) {
  for (const char* url :
       {"swift://c?auth-url=ftp://h", "swift://c?auth-url=h:80", "swift://c?auth-url=http://u:hidden@h/v3",
        "swift://c?auth-version=4", "swift://c?interface=private", "swift://c?segment-size=1k",
        "swift://c?segment-size=6GiB", "swift://c?transfers=0", "swift://c?storage-url=x", "swift://c?unknown=1",
        "swift://c?auth-url=http:///v3"}) {
    const auto options = read(url, v3());
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error().kind, ErrorKind::invalid) << url;
    EXPECT_THAT(options.error().message, Not(HasSubstr("hidden")));
  }
}

}  // namespace
}  // namespace hearth::store::swift
