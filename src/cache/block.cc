#include "cache/block.h"

#include "cache/compression.h"
#include "cache/content_digest.h"

namespace hearth::cache {

Result<EncodedBlock> encode_block(std::span<const std::byte> raw, int level) {
  if (raw.empty() || raw.size() > kBlockLimit) {
    return fail(ErrorKind::invalid, "a block of {} bytes; it must have 1 to {}", raw.size(), kBlockLimit);
  }
  EncodedBlock encoded;
  encoded.stored = TRY(compress(raw, level));
  encoded.block.encoding = Encoding::zstd;
  if (encoded.stored.size() >= raw.size()) {
    encoded.stored.assign(raw.begin(), raw.end());
    encoded.block.encoding = Encoding::stored;
  }
  encoded.block.stored_bytes = static_cast<std::uint32_t>(encoded.stored.size());
  encoded.block.raw_bytes = static_cast<std::uint32_t>(raw.size());
  encoded.block.digest = content_digest(encoded.stored);
  return encoded;
}

Result<std::vector<std::byte>> decode_block(const Block& block, std::span<const std::byte> stored) {
  if (stored.size() != block.stored_bytes) {
    return fail(ErrorKind::corrupt, "{} bytes instead of the block's {}", stored.size(), block.stored_bytes);
  }
  if (content_digest(stored) != block.digest) return fail(ErrorKind::corrupt, "the block does not have its digest");
  if (block.raw_bytes == 0 || block.raw_bytes > kBlockLimit) {
    return fail(ErrorKind::corrupt, "a block of {} bytes", block.raw_bytes);
  }
  if (block.encoding == Encoding::zstd) return decompress(stored, block.raw_bytes);
  if (block.stored_bytes != block.raw_bytes) return fail(ErrorKind::corrupt, "the block contradicts its sizes");
  return std::vector<std::byte>(stored.begin(), stored.end());
}

}  // namespace hearth::cache
