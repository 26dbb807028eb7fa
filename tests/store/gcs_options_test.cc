#include "store/gcs/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::store::gcs {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<GcsOptions> read(const std::string& url, const Environment& environment = {}) {
  return read_options(parse_store_url(url).value(), environment);
}

TEST(GcsOptions, AreThoseOfTheUrl) {
  const auto options = read(
      "gs://builds/a/b?credentials=/key.json&endpoint=https://private.example:8443/&location=europe-west3&project=p"
      "&storage-class=NEARLINE&connect-timeout=2s&progress-timeout=3s&request-timeout=1m");
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->bucket, "builds");
  EXPECT_EQ(options->prefix, "a/b/");
  EXPECT_EQ(options->shown, "gs://builds/a/b");
  EXPECT_EQ(options->base, "https://private.example:8443");
  EXPECT_FALSE(options->is_google);
  EXPECT_EQ(options->login, Login::credentials);
  EXPECT_EQ(options->credentials, "/key.json");
  EXPECT_EQ(options->project, "p");
  EXPECT_EQ(options->location, "europe-west3");
  EXPECT_EQ(options->storage_class, "NEARLINE");
  EXPECT_EQ(options->http.limits.connect, std::chrono::seconds(2));
  EXPECT_EQ(options->http.limits.no_progress, std::chrono::seconds(3));
  EXPECT_EQ(options->http.limits.total, std::chrono::minutes(1));
}

TEST(GcsOptions, AreGooglesWhereNothingIsSaid) {
  const auto options = read("gs://builds", {{"GOOGLE_CLOUD_PROJECT", "mine"}});
  EXPECT_EQ(options->base, "https://storage.googleapis.com");
  EXPECT_TRUE(options->is_google);
  EXPECT_EQ(options->login, Login::credentials);
  EXPECT_EQ(options->project, "mine");
}

TEST(GcsOptions, NobodyLogsInToAnEmulator) {
  const auto options = read("gs://builds", {{"STORAGE_EMULATOR_HOST", "gcs:4443"}});
  EXPECT_EQ(options->base, "http://gcs:4443");
  EXPECT_EQ(options->login, Login::none);
  EXPECT_FALSE(options->is_google);
  EXPECT_EQ(read("gs://b", {{"STORAGE_EMULATOR_HOST", "https://localhost:1/"}})->base, "https://localhost:1");
  EXPECT_EQ(read("gs://b?endpoint=https://x", {{"STORAGE_EMULATOR_HOST", "gcs"}})->login, Login::credentials);
  EXPECT_EQ(read("gs://b", {{"STORAGE_EMULATOR_HOST", "ftp://secret"}}).error().kind, ErrorKind::invalid);
}

TEST(GcsOptions, MistakesAreInvalidAndNotRepeated) {
  for (const char* query : {"regoin=secret", "endpoint=http://far.example/secret", "endpoint=http://secret.example",
                            "endpoint=ftp://secret", "endpoint=https://user:secret@host"}) {
    const auto options = read(std::string("gs://b?") + query);
    ASSERT_FALSE(options) << query;
    EXPECT_EQ(options.error().kind, ErrorKind::invalid);
    EXPECT_THAT(options.error().message, Not(HasSubstr("secret")));
  }
}

TEST(GcsOptions, TokensAreSentOverTlsOrWithinThisMachine) {
  for (const char* url :
       {"https://a.example/x", "HTTPS://a", "http://127.0.0.1:1/x", "http://localhost", "http://[::1]:8"})
    EXPECT_TRUE(keeps_secrets(url)) << url;
  for (const char* url : {"http://a.example", "http://127.0.0.1.example", "http://localhost.example/", "ftp://x", "",
                          "http://127.0.0.1:80@a.example/x", "http://localhost:x@a.example"})
    EXPECT_FALSE(keeps_secrets(url)) << url;
}

}  // namespace
}  // namespace hearth::store::gcs
