#include "cache/format/chunker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "cache/engine_support.h"
#include "cache/format/bytes.h"
#include "util/hash.h"

namespace hearth::cache::testing {
namespace {

using ::testing::ElementsAre;

std::vector<std::size_t> lengths(std::string_view content) {
  std::vector<std::size_t> lengths;
  while (!content.empty()) {
    lengths.push_back(chunk_length(as_bytes(content)));
    content.remove_prefix(lengths.back());
  }
  return lengths;
}

// Bytes of the chunks of `content` that are no chunks of `known`.
std::size_t unknown_bytes(std::string_view content, std::string_view known) {
  std::map<util::Digest, int> chunks;
  for (const std::size_t length : lengths(known)) {
    ++chunks[util::sha256(known.substr(0, length))];
    known.remove_prefix(length);
  }
  std::size_t unknown = 0;
  for (const std::size_t length : lengths(content)) {
    if (!chunks.contains(util::sha256(content.substr(0, length)))) unknown += length;
    content.remove_prefix(length);
  }
  return unknown;
}

TEST(Chunker, KeepsItsBounds) {
  const std::string content = noise(std::size_t{24} << 20, 1);
  const std::vector<std::size_t> all = lengths(content);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    EXPECT_GT(all[i], kLeastChunk - 1);
    EXPECT_LE(all[i], kMostChunk);
  }
  const std::size_t mean = content.size() / all.size();
  EXPECT_GT(mean, kUsualChunk * 3 / 4);
  EXPECT_LT(mean, kUsualChunk * 3 / 2);
}

TEST(Chunker, EndsWithTheContent) {
  EXPECT_EQ(chunk_length({}), 0U);
  const std::string zeros(3 * kMostChunk + 5, '\0');
  EXPECT_THAT(lengths(zeros), ElementsAre(kMostChunk, kMostChunk, kMostChunk, 5U));
  EXPECT_EQ(chunk_length(as_bytes(std::string_view(zeros).substr(0, kLeastChunk))), kLeastChunk);
}

TEST(Chunker, LooksNoFurtherThanTheLongestChunk) {
  const std::string content = noise(4 * kMostChunk, 2);
  EXPECT_EQ(chunk_length(as_bytes(content)), chunk_length(as_bytes(std::string_view(content).substr(0, kMostChunk))));
}

// What was cut once is known only as long as it is cut in the same places.
TEST(Chunker, CutsWhereItAlwaysDid) {
  std::string content;
  std::uint32_t state = 1;
  for (int i = 0; i < 2'000'000; ++i) {
    state = state * 1664525 + 1013904223;
    content.push_back(static_cast<char>(state >> 24));
  }
  EXPECT_THAT(lengths(content), ElementsAre(461779, 385778, 335104, 351575, 388283, 77481));
}

TEST(Chunker, AnInsertionMovesOnlyTheChunksAroundIt) {
  const std::string before = noise(std::size_t{16} << 20, 3);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1'000'000}, before.size() / 2, before.size()}) {
    for (const std::size_t count : {1, 100, 70'000}) {
      std::string after = before;
      after.insert(at, noise(count, 4));
      EXPECT_LE(unknown_bytes(after, before), count + 3 * kMostChunk) << at << ", " << count;
    }
  }
}

TEST(Chunker, ADeletionMovesOnlyTheChunksAroundIt) {
  const std::string before = noise(std::size_t{16} << 20, 5);
  std::string after = before;
  after.erase(5'000'000, 12'345);
  EXPECT_LE(unknown_bytes(after, before), 3 * kMostChunk);
}

}  // namespace
}  // namespace hearth::cache::testing
