#include "cache/format/content_digest.h"

#include <gtest/gtest.h>

#include <string>

#include "cache/engine_support.h"
#include "cache/format/bytes.h"

namespace hearth::cache::testing {
namespace {

util::Digest digest_of(std::string_view content) {
  return content_digest(as_bytes(content));
}

TEST(ContentDigest, OfShortContentIsItsSha256) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, kDigestPiece}) {
    const std::string content = noise(length, 1);
    EXPECT_EQ(digest_of(content), util::sha256(content));
  }
}

TEST(ContentDigest, OfLongContentIsThatOfItsPieces) {
  const std::string content = noise(2 * kDigestPiece + 5, 2);
  ByteWriter writer;
  writer.raw(as_bytes(std::string_view("HearthT\x01", 8)));
  writer.u32(2 * kDigestPiece + 5);
  for (const std::size_t begin : {std::size_t{0}, kDigestPiece, 2 * kDigestPiece}) {
    writer.raw(util::sha256(std::string_view(content).substr(begin, kDigestPiece)).bytes);
  }
  EXPECT_EQ(digest_of(content), util::sha256(writer.bytes()));
}

TEST(ContentDigest, EveryByteAndTheLengthCount) {
  std::string content = noise(kDigestPiece * 3, 3);
  const util::Digest digest = digest_of(content);
  EXPECT_NE(digest_of(std::string_view(content).substr(1)), digest);
  EXPECT_NE(digest_of(content + '\0'), digest);
  for (std::size_t i = 0; i < content.size(); i += 1021) {
    content[i] = static_cast<char>(content[i] ^ 1);
    EXPECT_NE(digest_of(content), digest) << i;
    content[i] = static_cast<char>(content[i] ^ 1);
  }
  EXPECT_EQ(digest_of(content), digest);
}

TEST(ContentDigest, OfManyIsTheSameAsOfEach) {
  std::vector<std::string> contents;
  for (const std::size_t length : {0UL, 70'000UL, 5UL, kDigestPiece, kDigestPiece + 1, 2UL << 20, 100UL}) {
    contents.push_back(noise(length, 4));
  }
  std::vector<std::span<const std::byte>> spans;
  for (const std::string& content : contents) spans.push_back(as_bytes(content));
  const std::vector<util::Digest> digests = content_digests(spans);
  ASSERT_EQ(digests.size(), contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(digests[i], content_digest(spans[i])) << i;
  EXPECT_TRUE(content_digests({}).empty());
}

}  // namespace
}  // namespace hearth::cache::testing
