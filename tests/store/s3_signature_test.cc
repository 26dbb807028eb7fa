// The published examples: Amazon's Signature Version 4 test suite, and "Signature Calculations" of the S3 API
// reference.
#include <gtest/gtest.h>

#include "store/s3/sigv4.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

std::string signature_of(std::string_view text) {
  return std::string(text.substr(text.rfind("Signature=") + 10));
}

// The test suite's own scope and key.
class TestSuite : public testing::Test {
 protected:
  static std::string sign(Signable request) {
    if (request.payload_hash.empty()) request.payload_hash = util::sha256(std::string_view()).hex();
    request.headers.push_back({"Host", "example.amazonaws.com"});
    request.headers.push_back({"X-Amz-Date", "20150830T123600Z"});
    return authorization(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
                         {.region = "us-east-1",
                          .service = "service",
                          .time = util::parse_utc_timestamp("2015-08-30T12:36:00Z").value()});
  }
};

TEST_F(TestSuite, GetVanilla) {
  EXPECT_EQ(
      sign({.method = "GET"}),
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST_F(TestSuite, GetVanillaQueryOrderKeyCase) {
  EXPECT_EQ(signature_of(sign({.method = "GET", .query = {{"Param2", "value2"}, {"Param1", "value1"}}})),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST_F(TestSuite, GetVanillaUtf8Query) {
  EXPECT_EQ(signature_of(sign({.method = "GET", .query = {{"\u1234", "bar"}}})),
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
}

TEST_F(TestSuite, GetUtf8) {
  EXPECT_EQ(signature_of(sign({.method = "GET", .path = "/%E1%88%B4"})),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
}

TEST_F(TestSuite, GetUnreserved) {
  const std::string path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  EXPECT_EQ(signature_of(sign({.method = "GET", .path = path})),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
}

TEST_F(TestSuite, GetHeaderKeyDuplicate) {
  const http::Headers headers = {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}};
  EXPECT_EQ(signature_of(sign({.method = "GET", .headers = headers})),
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
}

TEST_F(TestSuite, GetHeaderValueTrim) {
  const http::Headers headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}};
  EXPECT_EQ(signature_of(sign({.method = "GET", .headers = headers})),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST_F(TestSuite, PostVanilla) {
  EXPECT_EQ(signature_of(sign({.method = "POST"})), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST_F(TestSuite, PostXWwwFormUrlencoded) {
  const http::Headers headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  EXPECT_EQ(signature_of(sign({.method = "POST",
                               .headers = headers,
                               .payload_hash = util::sha256(std::string_view("Param1=value1")).hex()})),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

// The S3 documentation's examples.
class S3Examples : public testing::Test {
 protected:
  const Credentials credentials_{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
  const SigningScope scope_{
      .region = "us-east-1", .service = "s3", .time = util::parse_utc_timestamp("2013-05-24T00:00:00Z").value()};

  std::string sign(Signable request) const {
    if (request.payload_hash.empty()) request.payload_hash = util::sha256(std::string_view()).hex();
    request.headers.push_back({"Host", "examplebucket.s3.amazonaws.com"});
    request.headers.push_back({"x-amz-content-sha256", request.payload_hash});
    request.headers.push_back({"x-amz-date", "20130524T000000Z"});
    return signature_of(authorization(request, credentials_, scope_));
  }
};

TEST_F(S3Examples, GetObject) {
  EXPECT_EQ(sign({.method = "GET", .path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(S3Examples, PutObject) {
  const http::Headers headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(sign({.method = "PUT",
                  .path = "/test%24file.text",
                  .headers = headers,
                  .payload_hash = util::sha256(std::string_view("Welcome to Amazon S3.")).hex()}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(S3Examples, GetBucketLifecycle) {
  EXPECT_EQ(sign({.method = "GET", .query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_F(S3Examples, ListObjects) {
  EXPECT_EQ(sign({.method = "GET", .query = {{"max-keys", "2"}, {"prefix", "J"}}}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_F(S3Examples, PresignedUrl) {
  const Signable request{.method = "GET",
                         .path = "/test.txt",
                         .query = {},
                         .headers = {{"Host", "examplebucket.s3.amazonaws.com"}},
                         .payload_hash = std::string(kUnsignedPayload)};
  EXPECT_EQ(presigned_query(request, credentials_, scope_, std::chrono::seconds(86'400)),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
            "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

}  // namespace
}  // namespace hearth::store::s3
