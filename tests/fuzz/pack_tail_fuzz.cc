// The trailer of a pack behind a footer that fits it; four bytes tell how large the blocks before it are.
#include "cache/format/bytes.h"
#include "cache/format/pack.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

constexpr std::string_view kFooterMagic{"HearthF\x01", 8};

std::vector<std::byte> with_footer(Bytes trailer) {
  cache::ByteWriter sizes;
  sizes.u32(static_cast<std::uint32_t>(trailer.size()));
  sizes.u32(0);
  cache::ByteWriter tail;
  tail.raw(trailer);
  tail.raw(sizes.bytes());
  const std::vector<std::byte> summed(tail.bytes().begin(), tail.bytes().end());
  tail.raw(util::sha256(summed).bytes);
  tail.raw(cache::as_bytes(kFooterMagic));
  return tail.take();
}

const Registration kTarget("pack_tail", [](Bytes input) {
  static_cast<void>(cache::decode_tail(input, input.size()));
  if (input.size() >= cache::kPackFooterBytes) {
    static_cast<void>(cache::tail_bytes(input.last(cache::kPackFooterBytes), input.size()));
  }
  const std::uint64_t high = take_number(input);
  const std::uint64_t before = high << 16 | take_number(input);
  const std::vector<std::byte> tail = with_footer(input);
  const std::uint64_t pack_bytes = before + tail.size();
  const auto told = cache::tail_bytes(Bytes(tail).last(cache::kPackFooterBytes), pack_bytes);
  if (told) expect(*told == tail.size(), "the footer tells the size of the tail");
  const auto blocks = cache::decode_tail(tail, pack_bytes);
  if (!blocks) return;
  expect(told.has_value(), "the footer was good");
  std::uint64_t end = 8;
  for (const auto& [block, chunks] : *blocks) {
    expect(block.offset == end, "blocks follow each other");
    end += block.stored_bytes;
    for (const cache::Chunk& chunk : chunks) {
      expect(chunk.length > 0 && chunk.length <= block.raw_bytes && chunk.offset <= block.raw_bytes - chunk.length,
             "a chunk lies in its block");
    }
  }
  expect(end == before, "every byte is accounted for");
});

}  // namespace
}  // namespace hearth::fuzz
