#include <gmock/gmock.h>

#include <random>

#include "cache/format/block.h"
#include "cache/format/pack.h"
#include "cache/format_samples.h"
#include "cache/mutations.h"

namespace hearth::cache {
namespace {

std::vector<std::byte> zeros(std::size_t size) {
  return std::vector<std::byte>(size);
}

TEST(Block, ComesBackWhateverItHolds) {
  for (const auto& raw :
       {zeros(1), zeros(kBlockTarget), zeros(kBlockLimit), sample::noise(1, 1), sample::noise(100'000, 2)}) {
    const auto encoded = encode_block(raw, 3);
    ASSERT_TRUE(encoded);
    EXPECT_LE(encoded->stored.size(), raw.size());
    std::vector<std::byte> room(100);
    const auto seen = view_block(encoded->block, encoded->stored, room);
    ASSERT_TRUE(seen);
    EXPECT_TRUE(std::ranges::equal(*seen, raw));
    const auto decoded = decode_block(encoded->block, encoded->stored);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_TRUE(*decoded == raw);
  }
}

TEST(Block, StoresWhatDoesNotShrink) {
  EXPECT_EQ(encode_block(sample::noise(5000, 3), 19)->block.encoding, Encoding::stored);
  EXPECT_EQ(encode_block(zeros(5000), 1)->block.encoding, Encoding::zstd);
}

TEST(Block, WhatNoSampleOfShrinksIsStored) {
  std::vector<std::byte> raw = sample::noise(kBlockTarget, 4);
  EXPECT_EQ(encode_block(raw, 3)->block.encoding, Encoding::stored);
  std::ranges::fill(std::span(raw).subspan(kBlockTarget / 3, kBlockTarget / 16), std::byte{7});
  const auto encoded = encode_block(raw, 3);
  EXPECT_EQ(encoded->block.encoding, Encoding::zstd);
  EXPECT_LT(encoded->stored.size(), kBlockTarget - kBlockTarget / 20);
}

TEST(Block, HasOneToTheLimit) {
  EXPECT_EQ(encode_block({}, 3).error().kind, ErrorKind::invalid);
  EXPECT_EQ(encode_block(zeros(kBlockLimit + 1), 3).error().kind, ErrorKind::invalid);
}

TEST(Block, RefusesDamage) {
  const EncodedBlock encoded = *encode_block(zeros(3000), 3);
  const auto decode = [&](std::span<const std::byte> stored) { return decode_block(encoded.block, stored); };
  expect_truncations_refused(encoded.stored, decode);
  expect_flips_refused(encoded.stored, decode);
}

TEST(Block, RefusesABombBeforeItGoesOff) {
  const EncodedBlock bomb = *encode_block(zeros(kBlockLimit), 19);
  for (const std::uint32_t declared : {1U, kBlockLimit - 1, kBlockLimit + 1, UINT32_MAX, 0U}) {
    Block block = bomb.block;
    block.raw_bytes = declared;
    EXPECT_EQ(decode_block(block, bomb.stored).error().kind, ErrorKind::corrupt) << declared;
  }
}

TEST(Pack, TellsWhatLiesInIt) {
  const std::vector<std::byte> pack = sample::pack();
  const std::uint64_t tail = *tail_bytes(std::span(pack).last(kPackFooterBytes), pack.size());
  const auto blocks = decode_tail(std::span(pack).last(tail), pack.size());
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[0].chunks.size(), 2U);
  EXPECT_EQ((*blocks)[0].chunks[1].offset, 200U);
  EXPECT_EQ((*blocks)[1].block.encoding, Encoding::stored);
  const Block& last = (*blocks)[1].block;
  EXPECT_EQ(*decode_block(last, std::span(pack).subspan(last.offset, last.stored_bytes)), sample::noise(100, 2));
  EXPECT_EQ(*verify_pack(pack), *blocks);
}

TEST(Pack, BuilderTellsOffsetsAndBoundsAndStartsAnew) {
  PackBuilder builder;
  EXPECT_TRUE(builder.empty());
  const EncodedBlock block = *encode_block(sample::noise(1000, 4), 3);
  const std::vector<Chunk> chunks(10, Chunk{util::sha256("x"), 1, 5});
  const std::uint64_t bound = builder.bytes_with(block.block.stored_bytes, chunks.size());
  EXPECT_EQ(builder.add(block, chunks), 8U);
  const auto pack = builder.finish();
  EXPECT_LE(pack.size(), bound);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.add(block, chunks), 8U);
  EXPECT_EQ(builder.finish(), pack);
}

TEST(Pack, EmptyOneIsAPackToo) {
  EXPECT_TRUE(verify_pack(PackBuilder().finish())->empty());
}

TEST(Pack, RefusesDamage) {
  const std::vector<std::byte> pack = sample::pack();
  expect_truncations_refused(pack, verify_pack);
  expect_flips_refused(pack, verify_pack);
  std::vector<std::byte> longer = pack;
  longer.push_back({});
  EXPECT_FALSE(verify_pack(longer));
}

TEST(Pack, RefusesATailOfAnotherPack) {
  const std::vector<std::byte> pack = sample::pack();
  const std::uint64_t tail = *tail_bytes(std::span(pack).last(kPackFooterBytes), pack.size());
  EXPECT_FALSE(decode_tail(std::span(pack).last(tail), pack.size() + 1));
  EXPECT_FALSE(tail_bytes(std::span(pack).last(kPackFooterBytes), tail));
  EXPECT_FALSE(tail_bytes(std::span(pack).last(kPackFooterBytes), kPackLimit + 1));
}

// What a trailer says is not trusted because its checksum is right: whoever wrote it made that, too.
TEST(Pack, RefusesAWellSealedLie) {
  const auto lie = [](std::vector<Chunk> chunks, auto change) {
    PackBuilder builder;
    EncodedBlock block = *encode_block(sample::noise(64, 5), 3);
    change(block.block);
    builder.add(block, std::move(chunks));
    return builder.finish();
  };
  const auto nothing = [](Block&) {};
  EXPECT_TRUE(verify_pack(lie({}, nothing)));
  EXPECT_FALSE(verify_pack(lie({{util::sha256("x"), 60, 5}}, nothing)));
  EXPECT_FALSE(verify_pack(lie({{util::sha256("x"), UINT32_MAX, 5}}, nothing)));
  EXPECT_FALSE(verify_pack(lie({{util::sha256("x"), 0, 0}}, nothing)));
  EXPECT_FALSE(verify_pack(lie({}, [](Block& block) { block.stored_bytes = 63; })));
  EXPECT_FALSE(verify_pack(lie({}, [](Block& block) { block.raw_bytes = 63; })));
  EXPECT_FALSE(verify_pack(lie({}, [](Block& block) { block.raw_bytes = kBlockLimit + 1; })));
  EXPECT_FALSE(verify_pack(lie({}, [](Block& block) { block.encoding = static_cast<Encoding>(2); })));
  EXPECT_FALSE(verify_pack(lie({}, [](Block& block) { block.encoding = Encoding::zstd; })));
}

}  // namespace
}  // namespace hearth::cache
