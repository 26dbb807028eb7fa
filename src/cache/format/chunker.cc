#include "cache/format/chunker.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace hearth::cache {

namespace {

// Any fixed numbers do that look random: SplitMix64 (Steele, Lea, Flood 2014) from a constant.
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0x4865617274680001;
  for (std::uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    value = mixed ^ (mixed >> 31);
  }
  return gear;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();

// Before the usual length an end is four times rarer, and after it four times more frequent than at random.
constexpr int kUsualBits = 18;
static_assert(std::size_t{1} << kUsualBits == kUsualChunk);
constexpr int kNormalisation = 2;

// The highest bits, which depend on the most bytes.
constexpr std::uint64_t mask_of(int bits) {
  return ~std::uint64_t{0} << (64 - bits);
}
constexpr std::uint64_t kRareEnd = mask_of(kUsualBits + kNormalisation);
constexpr std::uint64_t kFrequentEnd = mask_of(kUsualBits - kNormalisation);

// A byte has left the hash after so many more.
constexpr std::size_t kWindow = 64;

}  // namespace

std::size_t chunk_length(std::span<const std::byte> content) {
  const std::size_t most = std::min(content.size(), kMostChunk);
  if (most <= kLeastChunk) return most;
  std::uint64_t hash = 0;
  std::size_t at = kLeastChunk - kWindow;
  const auto ends_before = [&](std::size_t end, std::uint64_t mask) {
    while (at < end) {
      hash = (hash << 1) + kGear[std::to_integer<std::size_t>(content[at++])];
      if ((hash & mask) == 0) return true;
    }
    return false;
  };
  for (; at < kLeastChunk; ++at) hash = (hash << 1) + kGear[std::to_integer<std::size_t>(content[at])];
  if (ends_before(std::min(most, kUsualChunk), kRareEnd)) return at;
  ends_before(most, kFrequentEnd);
  return at;
}

}  // namespace hearth::cache
