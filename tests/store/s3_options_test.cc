#include "store/s3/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/local_factory.h"

namespace hearth::store::s3 {
namespace {

using testing::HasSubstr;

Result<S3Options> read(const std::string& url, const Environment& environment = {}) {
  return read_options(parse_store_url(url).value(), environment);
}

TEST(S3Options, AmazonsDefaults) {
  const S3Options options = read("s3://bucket/pre").value();
  EXPECT_EQ(options.region, "us-east-1");
  EXPECT_EQ(options.endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_TRUE(options.is_amazon);
  EXPECT_EQ(options.addressing, Addressing::virtual_host);
  EXPECT_EQ(options.prefix, "pre/");
  EXPECT_EQ(read("s3://with.dots").value().addressing, Addressing::path);
  EXPECT_EQ(read("s3://bucket?region=cn-north-1").value().endpoint, "https://s3.cn-north-1.amazonaws.com.cn");
}

TEST(S3Options, TheUrlComesBeforeTheEnvironmentAndThatBeforeTheFiles) {
  const auto directory = temporary_directory();
  const std::string file = directory->path() / "config";
  ASSERT_TRUE(
      util::write_file(file,
                       "[default]\nregion = from-default\n[profile work]\n# a comment\nregion = from-file\n"
                       "endpoint_url = https://file.example\nca_bundle = /file.pem\ns3 =\n  region = nested\n"));
  Environment environment = {{"AWS_CONFIG_FILE", file}, {"AWS_PROFILE", "work"}, {"HOME", "/nonexistent"}};
  EXPECT_EQ(read("s3://b", environment)->region, "from-file");
  EXPECT_EQ(read("s3://b", environment)->endpoint, "https://file.example");
  EXPECT_EQ(read("s3://b", environment)->http.ca_file, "/file.pem");
  EXPECT_EQ(read("s3://b?profile=default", environment)->region, "from-default");
  environment["AWS_DEFAULT_REGION"] = "from-default-variable";
  EXPECT_EQ(read("s3://b", environment)->region, "from-default-variable");
  environment["AWS_REGION"] = "from-variable";
  environment["AWS_ENDPOINT_URL"] = "https://variable.example/";
  environment["AWS_CA_BUNDLE"] = "/variable.pem";
  EXPECT_EQ(read("s3://b", environment)->region, "from-variable");
  EXPECT_EQ(read("s3://b", environment)->endpoint, "https://variable.example");
  EXPECT_EQ(read("s3://b", environment)->http.ca_file, "/variable.pem");
  environment["AWS_ENDPOINT_URL_S3"] = "https://s3.example";
  const auto options = read("s3://b", environment).value();
  EXPECT_EQ(options.endpoint, "https://s3.example");
  EXPECT_FALSE(options.is_amazon);
  EXPECT_EQ(options.addressing, Addressing::path);
  const auto by_url = read("s3://bucket?region=r&endpoint=http://h:80&path-style=false", environment).value();
  EXPECT_EQ(by_url.region, "r");
  EXPECT_EQ(by_url.endpoint, "http://h:80");
  EXPECT_EQ(by_url.addressing, Addressing::virtual_host);
}

TEST(S3Options, TheRestOfTheParameters) {
  const auto options = read(
                           "s3://bucket?sse=aws:kms&kms-key=k&storage-class=GLACIER_IR&transfers=8&connect-timeout=1s&"
                           "progress-timeout=2s&request-timeout=3s")
                           .value();
  EXPECT_EQ(options.sse, "aws:kms");
  EXPECT_EQ(options.kms_key, "k");
  EXPECT_EQ(options.storage_class, "GLACIER_IR");
  EXPECT_EQ(options.transfers, 8U);
  EXPECT_EQ(options.http.limits.connect, std::chrono::seconds(1));
  EXPECT_EQ(options.http.limits.no_progress, std::chrono::seconds(2));
  EXPECT_EQ(options.http.limits.total, std::chrono::seconds(3));
}

TEST(S3Options, AHomeThatCannotBeEnteredHasNoFiles) {
  const auto options = read("s3://bucket", {{"HOME", "/dev/null"}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->region, "us-east-1");
  EXPECT_FALSE(read("s3://bucket", {{"HOME", "/dev/null"}, {"AWS_CONFIG_FILE", "/dev/null/config"}}));
  const auto directory = temporary_directory();
  std::filesystem::create_directories(directory->path() / ".aws/config");
  EXPECT_FALSE(read("s3://bucket", {{"HOME", directory->path()}})) << "what is there has to be a file";
}

TEST(S3Options, RefusesWhatCannotBeMeant) {
  for (const char* url : {"s3://b?endpoint=ftp://h", "s3://b?endpoint=h:80", "s3://b?endpoint=http://h/path",
                          "s3://b?endpoint=http://u:p@h", "s3://b?sse=rot13", "s3://b?kms-key=k", "s3://b?transfers=0",
                          "s3://b?path-style=1", "s3://b?region=x/y", "s3://b?unknown=1"}) {
    const auto options = read(url);
    ASSERT_FALSE(options) << url;
    EXPECT_EQ(options.error().kind, ErrorKind::invalid) << url;
  }
  const auto profile = read("s3://b?profile=nobody", {{"HOME", "/nonexistent"}});
  ASSERT_FALSE(profile);
  EXPECT_THAT(profile.error().message, HasSubstr("nobody"));
}

}  // namespace
}  // namespace hearth::store::s3
