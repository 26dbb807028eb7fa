#include "util/mac.h"

#include <gtest/gtest.h>

#include "support/rsa_key.h"

namespace hearth::util {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// RFC 4231, test cases 1 and 2.
TEST(Mac, IsHmacSha256) {
  EXPECT_EQ(hmac_sha256(bytes(std::string(20, '\x0b')), "Hi There").hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(bytes("Jefe"), "what do ya want for nothing?").hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// RFC 1321, section A.5.
TEST(Mac, IsMd5AndStartsAnew) {
  Md5 md5;
  EXPECT_EQ(to_hex(md5.finish()), "d41d8cd98f00b204e9800998ecf8427e");
  md5.update(bytes("mess"));
  md5.update(bytes("age digest"));
  EXPECT_EQ(to_hex(md5.finish()), "f96b697d7cb7938d525a2f31aaf161d0");
}

// RFC 4648, section 10.
TEST(Mac, IsBase64BothWays) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(bytes(plain)), encoded);
    const auto decoded = from_base64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_TRUE(std::ranges::equal(*decoded, bytes(plain))) << encoded;
  }
  EXPECT_EQ(from_base64(" Zm9v\r\n\tYmFy ")->size(), 6U);
  for (const char* odd : {"Z", "Zg", "Zg=", "Zm9v!A==", "Zm-_"}) EXPECT_FALSE(from_base64(odd)) << odd;
  EXPECT_EQ(to_base64url(bytes("\xfb\xff\xfe?")), "-__-Pw");
}

TEST(Mac, SignsByAnRsaKey) {
  const support::RsaKey key;
  const auto signature = sign_rsa_sha256(key.pem(), "message");
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_TRUE(key.has_signed("message", *signature));
  EXPECT_FALSE(key.has_signed("massage", *signature));
  for (const char* bad : {"", "hidden", "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n"}) {
    const auto refused = sign_rsa_sha256(bad, "message");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::denied);
    EXPECT_EQ(refused.error().message, "the private key is no RSA key in PEM");
  }
}

}  // namespace
}  // namespace hearth::util
