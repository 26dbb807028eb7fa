#include "build/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hearth::build {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string in_pieces(Masker& masker, const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += masker.feed(piece);
  return out + masker.flush();
}

// The reference: marks every occurrence of every secret, and collapses each run of marked bytes.
std::string masked_simply(const std::string& text, const std::vector<std::string>& secrets) {
  std::vector<bool> hidden(text.size(), false);
  for (const std::string& secret : secrets) {
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 1)) {
      std::fill_n(hidden.begin() + static_cast<std::ptrdiff_t>(at), secret.size(), true);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!hidden[i]) out += text[i];
    if (hidden[i] && (i == 0 || !hidden[i - 1])) out += kMasked;
  }
  return out;
}

TEST(Mask, HidesASecretWhereverTheStreamIsCut) {
  const std::vector<std::string> secrets = {"hunter2hunter2", "abcdefgh", "cdefghijkl", "aaaaaaaab", "bcdefghx"};
  const std::string text =
      "x hunter2hunter2 y\nabcdefghijkl|hunter2hunter3|aaaaaaaaaaaab|abcdefghx|hunter2hunter2hunter2hunter2\n";
  const std::string expected = masked_simply(text, secrets);
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      Masker masker(secrets);
      ASSERT_EQ(expected,
                in_pieces(masker, {text.substr(0, first), text.substr(first, second - first), text.substr(second)}))
          << first << " " << second;
    }
  }
}

TEST(Mask, HidesASecretThatComesByteByByte) {
  Masker masker({"topsecret"});
  std::vector<std::string> pieces;
  for (const char character : std::string("a topsecret, topsecre")) pieces.emplace_back(1, character);
  EXPECT_EQ("a ********, topsecre", in_pieces(masker, pieces));
}

TEST(Mask, HoldsNothingBackThatCannotBecomeASecret) {
  Masker masker({"topsecret"});
  EXPECT_EQ("what's up? ", masker.feed("what's up? "));
  EXPECT_EQ("", masker.feed("topse"));
  EXPECT_EQ("topsexy", masker.feed("xy"));
}

TEST(Mask, StartsAnewAfterAFlush) {
  Masker masker({"topsecret"});
  EXPECT_EQ("", masker.feed("top"));
  EXPECT_EQ("top", masker.flush());
  EXPECT_EQ("secrets", masker.feed("secrets"));
}

TEST(Mask, KeepsBytesThatAreNoText) {
  Masker masker({"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"});
  const std::string text("\0\xff\xfe\x80z", 5);
  EXPECT_EQ(text, masker.mask(text));
  EXPECT_EQ("a********b", masker.mask("a\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"
                                      "b"));
}

TEST(Mask, TakesValuesOfEightBytesAndEachLineOfLongOnes) {
  EXPECT_THAT(secrets_of({{"A", "1234567"}, {"B", "12345678"}, {"C", "-----BEGIN\r\nshort\nabcdefghij\n"}}),
              ElementsAre("12345678", "-----BEGIN", "abcdefghij"));
  EXPECT_THAT(secrets_of({}), IsEmpty());
}

TEST(Mask, OurOwnSettingsAreNoSecrets) {
  EXPECT_THAT(secrets_of({{"HEARTH_CACHE", "read-only"}, {"HEARTH_CACHE_EXCLUDE", "node_modules\n*.log"}}), IsEmpty());
}

TEST(Mask, LetsMessagesNameTheBuildpackButNotItsPassword) {
  EXPECT_THAT(secrets_of({{"BUILDPACK_URL", "https://example.com/some/buildpack"}}), IsEmpty());
  EXPECT_THAT(secrets_of({{"BUILDPACK_URL", "https://me:secretsecret@example.com/b"}}),
              ElementsAre("me:secretsecret", "secretsecret"));
  EXPECT_THAT(secrets_of({{"BUILDPACK_URL", "https://example.com/b.tgz?X-Amz-Signature=abc#v1"}}),
              ElementsAre("X-Amz-Signature=abc"));
}

TEST(Secrets, OfWhatIsHandedOnAreMaskedToo) {
  const std::map<std::string, std::string> host = {{"TOKEN", "handed-on\nsecond-line"},
                                                   {"OTHER", "stays-with-us"},
                                                   {"https_proxy", "http://user:password1@proxy:3128/"},
                                                   {"ALL_PROXY", "someone:else-word@proxy"},
                                                   {"NO_PROXY", "localhost,10.0.0.0/8"},
                                                   {"SSL_CERT_FILE", "/etc/ssl/some@where.pem"}};
  EXPECT_THAT(secrets_of({{"A", "config-var"}}, host, {"TOKEN", "ABSENT", "NO_PROXY"}),
              testing::UnorderedElementsAre("config-var", "handed-on", "second-line", "user:password1", "password1",
                                            "someone:else-word", "else-word"));
}

}  // namespace
}  // namespace hearth::build
