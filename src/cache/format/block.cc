#include "cache/format/block.h"

#include "cache/format/compression.h"
#include "cache/format/content_digest.h"

namespace hearth::cache {

namespace {

// Content that was compressed before, as most large caches have it, costs a compressor as much time as any other.
// Samples tell: 32 of 4 KiB, and if the fastest level gains nothing on any of them, no other will.
constexpr std::size_t kSamples = 32;
constexpr std::size_t kSampleBytes = 4 << 10;
constexpr int kSampleLevel = 1;

Result<bool> is_incompressible(std::span<const std::byte> raw, std::vector<std::byte>& room) {
  if (raw.size() < 2 * kSamples * kSampleBytes) return false;
  const std::size_t step = (raw.size() - kSampleBytes) / (kSamples - 1);
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::span<const std::byte> packed = TRY(compress(raw.subspan(i * step, kSampleBytes), kSampleLevel, room));
    if (packed.size() < kSampleBytes - kSampleBytes / 64) return false;
  }
  return true;
}

}  // namespace

bool same_stored(const Block& one, const Block& other) {
  return one.stored_bytes == other.stored_bytes && one.raw_bytes == other.raw_bytes && one.encoding == other.encoding &&
         one.digest == other.digest;
}

Result<EncodedBlock> encode_block(std::span<const std::byte> raw, int level) {
  std::vector<std::byte> room;
  const EncodedView view = TRY(encode_block(raw, level, room));
  return EncodedBlock{view.block, {view.stored.begin(), view.stored.end()}};
}

Result<EncodedView> encode_block(std::span<const std::byte> raw, int level, std::vector<std::byte>& room) {
  if (raw.empty() || raw.size() > kBlockLimit) {
    return fail(ErrorKind::invalid, "a block of {} bytes; it must have 1 to {}", raw.size(), kBlockLimit);
  }
  EncodedView encoded({}, raw);
  const bool incompressible = TRY(is_incompressible(raw, room));
  if (!incompressible) {
    const std::span<const std::byte> packed = TRY(compress(raw, level, room));
    if (packed.size() < raw.size()) {
      encoded.block.encoding = Encoding::zstd;
      encoded.stored = packed;
    }
  }
  encoded.block.stored_bytes = static_cast<std::uint32_t>(encoded.stored.size());
  encoded.block.raw_bytes = static_cast<std::uint32_t>(raw.size());
  encoded.block.digest = content_digest(encoded.stored);
  return encoded;
}

Result<std::vector<std::byte>> decode_block(const Block& block, std::span<const std::byte> stored) {
  std::vector<std::byte> room;
  const std::span<const std::byte> raw = TRY(view_block(block, stored, room));
  if (raw.data() != room.data()) return std::vector<std::byte>(raw.begin(), raw.end());
  return room;
}

Result<std::span<const std::byte>> view_block(const Block& block, std::span<const std::byte> stored,
                                              std::vector<std::byte>& room) {
  if (stored.size() != block.stored_bytes) {
    return fail(ErrorKind::corrupt, "{} bytes instead of the block's {}", stored.size(), block.stored_bytes);
  }
  if (content_digest(stored) != block.digest) return fail(ErrorKind::corrupt, "the block does not have its digest");
  if (block.raw_bytes == 0 || block.raw_bytes > kBlockLimit) {
    return fail(ErrorKind::corrupt, "a block of {} bytes", block.raw_bytes);
  }
  if (block.encoding == Encoding::zstd) {
    if (room.size() < block.raw_bytes) room.resize(block.raw_bytes);
    const auto raw = std::span(room).first(block.raw_bytes);
    TRY(decompress_into(raw, stored));
    return raw;
  }
  if (block.stored_bytes != block.raw_bytes) return fail(ErrorKind::corrupt, "the block contradicts its sizes");
  return stored;
}

}  // namespace hearth::cache
