// Stored bytes behind a digest that fits them, as a block of any size and encoding; four bytes tell these.
#include "cache/format/block.h"

#include "cache/format/content_digest.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

void expect_comes_back(Bytes raw, int level) {
  const auto encoded = cache::encode_block(raw, level);
  expect(encoded.has_value() != raw.empty(), "any content is encoded, but none");
  if (!encoded) return;
  const auto again = cache::decode_block(encoded->block, encoded->stored);
  expect(again && std::ranges::equal(*again, raw), "the content comes back");
}

const Registration kTarget("block", [](Bytes input) {
  const std::size_t kind = take_number(input);
  const std::size_t size = take_number(input);
  const cache::Block block{.stored_bytes = static_cast<std::uint32_t>(input.size()),
                           .raw_bytes = static_cast<std::uint32_t>(kind % 3 == 0 ? input.size() : size << (kind % 9)),
                           .digest = cache::content_digest(input),
                           .encoding = static_cast<cache::Encoding>(kind % 3)};
  const auto raw = cache::decode_block(block, input);
  if (raw) {
    expect(raw->size() == block.raw_bytes, "as large as it was said");
    expect_comes_back(*raw, 1);
  }
  expect_comes_back(input, 3);
});

}  // namespace
}  // namespace hearth::fuzz
