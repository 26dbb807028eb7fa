// Whole packs: any bytes with their checksum set right, and packs that are built of any content.
#include "cache/format/pack.h"

#include <algorithm>

#include "cache/format/bytes.h"
#include "cache/format/content_digest.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

constexpr std::size_t kSumBytes = 32;

// The digest in the footer set right, where there is a footer that names a trailer.
std::vector<std::byte> sealed(Bytes input) {
  std::vector<std::byte> pack(input.begin(), input.end());
  if (pack.size() < cache::kPackFooterBytes) return pack;
  const std::size_t footer = pack.size() - cache::kPackFooterBytes;
  const std::size_t trailer = cache::ByteReader(input.subspan(footer)).u32();
  if (trailer > footer) return pack;
  const auto sum = util::sha256(input.subspan(footer - trailer, trailer + 8)).bytes;
  std::ranges::copy(sum, pack.begin() + static_cast<std::ptrdiff_t>(footer) + 8);
  static_assert(8 + kSumBytes + 8 == cache::kPackFooterBytes);
  return pack;
}

// Content in pieces, each a block of two chunks.
void build(Bytes input) {
  cache::PackBuilder builder;
  std::vector<std::vector<std::byte>> contents;
  while (!input.empty() && contents.size() < 8) {
    const std::size_t size = take_number(input);
    const Bytes raw = take(input, 1 + size % 500);
    if (raw.empty()) break;
    const auto encoded = cache::encode_block(raw, 1 + static_cast<int>(size % 3));
    expect(encoded.has_value(), "any content is encoded");
    const auto half = static_cast<std::uint32_t>(raw.size() / 2);
    const auto rest = static_cast<std::uint32_t>(raw.size()) - half;
    std::vector<cache::Chunk> chunks = {{cache::content_digest(raw.last(rest)), half, rest}};
    if (half > 0) chunks.push_back({cache::content_digest(raw.first(half)), 0, half});
    const std::uint64_t most = builder.bytes_with(encoded->block.stored_bytes, chunks.size());
    builder.add(*encoded, chunks);
    contents.emplace_back(raw.begin(), raw.end());
    expect(most <= cache::kPackLimit, "the most that it can take");
  }
  const std::vector<std::byte> pack = builder.finish();
  const auto blocks = cache::verify_pack(pack);
  expect(blocks && blocks->size() == contents.size(), "what was built is verified");
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const cache::Block& block = (*blocks)[i].block;
    const auto raw = cache::decode_block(block, Bytes(pack).subspan(block.offset, block.stored_bytes));
    expect(raw && *raw == contents[i], "the content comes back");
  }
}

const Registration kTarget("pack", [](Bytes input) {
  static_cast<void>(cache::verify_pack(input));
  static_cast<void>(cache::verify_pack(sealed(input)));
  build(input);
});

}  // namespace
}  // namespace hearth::fuzz
