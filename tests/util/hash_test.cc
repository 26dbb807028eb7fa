#include "util/hash.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace hearth::util {
namespace {

// FIPS 180-4's examples, from NIST's "SHA-256 examples".
TEST(Hash, IsSha256) {
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, PieceByPieceIsTheSame) {
  Sha256 hash;
  for (const std::string_view piece : {"a", "", "bc"}) hash.update(std::as_bytes(std::span(piece)));
  EXPECT_EQ(hash.finish(), sha256("abc"));
  EXPECT_EQ(hash.finish(), sha256(""));
}

TEST(Hash, OfManyIsTheSameAsOfEach) {
  std::mt19937 random(1);
  std::vector<std::string> contents;
  for (const std::size_t length : {0, 1, 55, 56, 63, 64, 65, 119, 4096, 61439, 61440, 61441, 65535, 65536, 200'000}) {
    contents.emplace_back(length, 'x');
  }
  for (int i = 0; i < 600; ++i) contents.emplace_back(random() % 20'000, '\0');
  for (std::string& content : contents) {
    for (char& byte : content) byte = static_cast<char>(random());
  }
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{17}, contents.size()}) {
    std::vector<std::span<const std::byte>> spans;
    for (const std::string& content : std::span(contents).first(count))
      spans.push_back(std::as_bytes(std::span(content)));
    const std::vector<Digest> digests = sha256_each(spans);
    ASSERT_EQ(digests.size(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(digests[i], sha256(spans[i])) << i << " of " << count;
  }
}

}  // namespace
}  // namespace hearth::util
