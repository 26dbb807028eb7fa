#include "store/store_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::store {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StoreUrl, HasBucketPrefixAndParameters) {
  auto url = parse_store_url("s3://bucket/one/t%20wo/?region=eu-west-1&path-style=true&connect-timeout=2s&transfers=7");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->scheme, "s3");
  EXPECT_EQ(url->bucket, "bucket");
  EXPECT_EQ(url->prefix, "one/t wo/");
  EXPECT_EQ(url->shown(), "s3://bucket/one/t wo");
  EXPECT_EQ(url->parameters.text("region"), "eu-west-1");
  EXPECT_EQ(url->parameters.text("endpoint"), std::nullopt);
  EXPECT_EQ(url->parameters.flag("path-style").value(), true);
  EXPECT_EQ(url->parameters.duration("connect-timeout").value(), std::chrono::seconds(2));
  EXPECT_EQ(url->parameters.number("transfers", 1, 64).value(), 7U);
  EXPECT_TRUE(url->parameters.check_all_taken());
  for (const char* bare : {"s3://bucket", "s3://bucket/", "s3://bucket?"}) {
    ASSERT_TRUE(parse_store_url(bare)) << bare;
    EXPECT_EQ(parse_store_url(bare)->prefix, "");
    EXPECT_EQ(parse_store_url(bare)->shown(), "s3://bucket");
  }
}

TEST(StoreUrl, RefusesWhatCannotBeMeantAndRepeatsNoSecret) {
  for (const char* text : {"s3:bucket",
                           "s3://",
                           "s3:///prefix",
                           "s3://key:secret@bucket/x",
                           "s3://key:s/secret@bucket/p",
                           "s3://key:s?secret@bucket/p",
                           "s3://secret@bucket?a=%zz",
                           "s3://bucket:secret",
                           "s3://bucket/%zzsecret",
                           "s3://bucket?a=100%zzsecret",
                           "s3://bucket?%zzsecret=1",
                           "s3://bucket/a//b",
                           "s3://bucket/../x",
                           "s3://bucket/x#secret",
                           "s3://bucket/%zz",
                           "s3://bucket?secret",
                           "s3://bucket?a=secret&a=secret",
                           "s3://bucket?=secret",
                           "s3://bucket?a=secret%0d%0aX:y",
                           "s3://bucket?a=%z",
                           "s3://a%2Fb"}) {
    const auto url = parse_store_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().kind, ErrorKind::invalid) << text;
    EXPECT_THAT(url.error().message, Not(HasSubstr("secret"))) << text;
  }
}

TEST(StoreUrl, ABucketsNameMayHaveAColonThatIsEncoded) {
  const auto url = parse_store_url("s3://tenant%3Abucket/a:b@c");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->bucket, "tenant:bucket");
  EXPECT_EQ(url->prefix, "a:b@c/");
}

TEST(StoreUrl, NamesUnknownParametersAndWhatMayBeMeant) {
  auto url = parse_store_url("s3://bucket?regoin=secret").value();
  EXPECT_FALSE(url.parameters.text("region"));
  EXPECT_FALSE(url.parameters.text("endpoint"));
  const auto checked = url.parameters.check_all_taken();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message,
            "the store's URL has an unknown parameter regoin; did you mean region? (known: endpoint, region)");
}

TEST(StoreUrl, ChecksValues) {
  auto url = parse_store_url("s3://bucket?flag=secret&time=secret&count=65&text=1x").value();
  for (const auto& error :
       {url.parameters.flag("flag").error(), url.parameters.duration("time").error(),
        url.parameters.number("count", 1, 64).error(), url.parameters.number("text", 1, 64).error()}) {
    EXPECT_EQ(error.kind, ErrorKind::invalid);
  }
}

}  // namespace
}  // namespace hearth::store
