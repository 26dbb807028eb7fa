#include "store/azure/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::store::azure {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kConnection =
    "DefaultEndpointsProtocol=https;AccountName=conn;AccountKey=aGlkZGVu;EndpointSuffix=core.example";

Result<Configuration> configure(const std::string& url, const Environment& environment = {}) {
  return read_options(parse_store_url(url).value(), environment);
}

AzureOptions read(const std::string& url, const Environment& environment = {}) {
  auto configured = configure(url, environment);
  EXPECT_TRUE(configured) << configured.error().message;
  return configured ? configured->options : AzureOptions{};
}

// What the first provider that has something gives out.
Result<Credentials> credentials(const std::string& url, Environment environment) {
  environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = "http://127.0.0.1:1";
  Configuration configured = TRY(configure(url, environment));
  return ChainOf<Credentials>("Azure", configured.providers, std::chrono::system_clock::now).get({});
}

std::string key_of(const Result<Credentials>& found) {
  const auto* key = found ? std::get_if<AccountKey>(&found->proof) : nullptr;
  return key != nullptr ? key->bytes : "";
}

std::string sas_of(const Result<Credentials>& found) {
  const auto* sas = found ? std::get_if<Sas>(&found->proof) : nullptr;
  return sas != nullptr ? sas->query : "";
}

TEST(AzureOptions, TheAccountIsAzuresWhereNothingElseIsSaid) {
  const AzureOptions options = read("azblob://box/pre?account=acc");
  EXPECT_EQ(options.endpoint, "https://acc.blob.core.windows.net");
  EXPECT_EQ(options.container, "box");
  EXPECT_EQ(options.prefix, "pre/");
  EXPECT_EQ(options.shown, "azblob://box/pre");
  EXPECT_EQ(read("azblob://box", {{"AZURE_STORAGE_ACCOUNT", "env"}}).account, "env");
  const auto without = configure("azblob://box");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message, "azblob://box needs an account: ?account=NAME, or AZURE_STORAGE_ACCOUNT");
}

TEST(AzureOptions, TheUrlComesBeforeTheConnectionStringAndThatBeforeTheVariables) {
  Environment environment = {{"AZURE_STORAGE_ACCOUNT", "env"},
                             {"AZURE_STORAGE_SERVICE_ENDPOINT", "https://env.example/"}};
  EXPECT_EQ(read("azblob://box", environment).endpoint, "https://env.example");
  environment["AZURE_STORAGE_CONNECTION_STRING"] = kConnection;
  EXPECT_EQ(read("azblob://box", environment).account, "conn");
  EXPECT_EQ(read("azblob://box", environment).endpoint, "https://conn.blob.core.example");
  const AzureOptions by_url = read("azblob://box?account=conn&endpoint=http://h:80/conn/", environment);
  EXPECT_EQ(by_url.endpoint, "http://h:80/conn");
  const auto other = configure("azblob://box?account=other", environment);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("of another account"));
  EXPECT_THAT(other.error().message, Not(HasSubstr("aGlkZGVu")));
}

TEST(AzureOptions, TheRestOfTheParameters) {
  const AzureOptions options = read(
      "azblob://box?account=a&access-tier=Cool&transfers=8&connect-timeout=1s&progress-timeout=2s&request-timeout=3s&"
      "auth=login&client-id=c");
  EXPECT_EQ(options.access_tier, "Cool");
  EXPECT_EQ(options.transfers, 8U);
  EXPECT_EQ(options.http.limits.connect, std::chrono::seconds(1));
  EXPECT_EQ(options.http.limits.no_progress, std::chrono::seconds(2));
  EXPECT_EQ(options.http.limits.total, std::chrono::seconds(3));
}

TEST(AzureOptions, RefusesWhatCannotBeMeant) {
  for (const char* url : {"azblob://b?account=a", "azblob://Box?account=a", "azblob://a--b?account=a",
                          "azblob://-box?account=a", "azblob://box?account=A.b", "azblob://box?account=a/b",
                          "azblob://box?account=a&endpoint=ftp://h", "azblob://box?account=a&endpoint=http://u:p@h",
                          "azblob://box?account=a&endpoint=http://h?x", "azblob://box?account=a&endpoint=http://",
                          "azblob://box?account=a&auth=password", "azblob://box?account=a&access-tier=Archive",
                          "azblob://box?account=a&transfers=0", "azblob://box?account=a&unknown=1"}) {
    const auto options = configure(url);
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error().kind, ErrorKind::invalid) << url;
  }
}

TEST(AzureOptions, ConnectionStringsInAllForms) {
  const auto parse = [](const char* text) { return parse_connection_string(text).value(); };
  EXPECT_EQ(parse("").account, "");
  EXPECT_EQ(parse(kConnection).key, "aGlkZGVu");
  EXPECT_EQ(parse(" accountname = x ; ;AccountKey=a==;Other=1").key, "a==");
  EXPECT_EQ(parse("BlobEndpoint=https://h/;SharedAccessSignature=?sv=1&sig=a%3D").sas, "sv=1&sig=a%3D");
  EXPECT_EQ(parse("BlobEndpoint=https://h/x?sv=1&sig=a%3D").sas, "sv=1&sig=a%3D");
  EXPECT_EQ(parse("BlobEndpoint=https://h/x?sv=1&sig=a%3D").endpoint, "https://h/x");
  EXPECT_EQ(parse("UseDevelopmentStorage=true").endpoint, "http://127.0.0.1:10000/devstoreaccount1");
  const auto refused = parse_connection_string("hidden");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hidden")));
}

TEST(AzureOptions, TheRootContainerIsNone) {
  const auto root = configure("azblob://$root?account=acc");
  ASSERT_FALSE(root);
  EXPECT_EQ(root.error().kind, ErrorKind::invalid);
  EXPECT_THAT(root.error().message, HasSubstr("no '/' in their names"));
}

TEST(AzureOptions, TheEmulatorsAccountNeedsNothingElse) {
  const AzureOptions options = read("azblob://box?account=devstoreaccount1");
  EXPECT_EQ(options.endpoint, "http://127.0.0.1:10000/devstoreaccount1");
  EXPECT_EQ(key_of(credentials("azblob://box?account=devstoreaccount1", {})).size(), 64U);
  EXPECT_EQ(key_of(credentials("azblob://box?account=devstoreaccount1", {{"AZURE_STORAGE_KEY", "b3duIGtleQ=="}})),
            "own key");
}

TEST(AzureOptions, CredentialsHaveAnOrderAndAuthChooses) {
  const std::string url = "azblob://box?account=conn";
  Environment environment = {{"AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x%3D"}};
  EXPECT_EQ(sas_of(credentials(url, environment)), "sv=1&sig=x%3D");
  environment["AZURE_STORAGE_KEY"] = "dmFyaWFibGU=";
  EXPECT_EQ(key_of(credentials(url, environment)), "variable");
  environment["AZURE_STORAGE_CONNECTION_STRING"] = kConnection;
  EXPECT_EQ(key_of(credentials(url, environment)), "hidden");
  EXPECT_EQ(sas_of(credentials(url + "&auth=sas", environment)), "sv=1&sig=x%3D");
  EXPECT_EQ(credentials(url + "&auth=login", environment).error().message,
            "no credentials for Azure were found (looked into: the workload identity, the managed identity)");
  environment["AZURE_STORAGE_AUTH_MODE"] = "login";
  EXPECT_EQ(credentials(url, environment).error().kind, ErrorKind::denied);
  EXPECT_EQ(key_of(credentials(url + "&auth=key", environment)), "hidden");
}

TEST(AzureOptions, UnusableCredentialsAreDeniedAndNotShown) {
  const std::string url = "azblob://box?account=acc";
  const Environment cases[] = {{{"AZURE_STORAGE_KEY", "hidden!"}},
                               {{"AZURE_STORAGE_SAS_TOKEN", "hidden and\nmore"}},
                               {{"AZURE_FEDERATED_TOKEN_FILE", "/nonexistent/token"}}};
  for (const Environment& environment : cases) {
    const auto found = credentials(url, environment);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::denied);
    EXPECT_THAT(found.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(AzureOptions, TokensTravelOverTlsOrNotAtAll) {
  for (const char* safe : {"https://h", "HTTPS://h", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:1/"}) {
    EXPECT_TRUE(keeps_secrets(safe)) << safe;
  }
  for (const char* open :
       {"http://h", "http://127.0.0.1.example.com", "http://localhost.example", "ftp://localhost", ""}) {
    EXPECT_FALSE(keeps_secrets(open)) << open;
  }
}

}  // namespace
}  // namespace hearth::store::azure
