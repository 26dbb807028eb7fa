// Blocks: some MiB of neighbouring content, compressed together. The unit of compression, verification and ranged
// reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

// Content is gathered until a block would pass this; one piece of a file is never larger. At 4 MiB it compresses better
// than at 2 (by 2 % on a node cache), and what a restore of few files fetches in vain is still little.
inline constexpr std::uint32_t kBlockTarget = 4 << 20;
// No block holds more raw bytes than this; decoders refuse it before they allocate.
inline constexpr std::uint32_t kBlockLimit = 8 << 20;

enum class Encoding : std::uint8_t { stored = 0, zstd = 1 };

// Block::pack of a block whose stored bytes ride inside the manifest.
inline constexpr std::uint32_t kInline = UINT32_MAX;

// Where a block lies and what it is.
struct Block {
  std::uint32_t pack = 0;          // index into Manifest::packs, or kInline
  std::uint64_t offset = 0;        // of its first stored byte in the pack, or in Manifest::inline_bytes
  std::uint32_t stored_bytes = 0;  // as they lie in the object
  std::uint32_t raw_bytes = 0;     // 1 … kBlockLimit
  util::Digest digest;             // content_digest of the stored bytes
  Encoding encoding = Encoding::stored;

  bool operator==(const Block&) const = default;
};

// Whether they are the same stored bytes, which unpack to the same content, wherever they lie. The digest alone does
// not tell: short content can be made that has the digest of longer content.
bool same_stored(const Block& one, const Block& other);

struct EncodedBlock {
  Block block;                    // pack and offset are still 0
  std::vector<std::byte> stored;  // block.stored_bytes of them
};

// One whose bytes lie elsewhere.
struct EncodedView {
  EncodedView(const Block& described, std::span<const std::byte> bytes) : block(described), stored(bytes) {}
  EncodedView(const EncodedBlock& encoded) : EncodedView(encoded.block, encoded.stored) {}  // NOLINT: it is one

  Block block;
  std::span<const std::byte> stored;
};

// Compresses at zstd's `level`; what does not shrink, and what no sample of shrinks, is stored as it is. `raw` has 1 …
// kBlockLimit bytes, else invalid. Thread-safe; each thread keeps one compression context.
Result<EncodedBlock> encode_block(std::span<const std::byte> raw, int level);

// The same without a copy: the bytes are `raw` itself, or lie in `room`, which grows as it must and may be used for one
// block after another.
Result<EncodedView> encode_block(std::span<const std::byte> raw, int level, std::vector<std::byte>& room);

// The block's raw bytes, exactly block.raw_bytes of them. `stored` is what was fetched for it: any difference in size,
// digest or decompressed size is corrupt. Allocates no more than kBlockLimit. Thread-safe.
Result<std::vector<std::byte>> decode_block(const Block& block, std::span<const std::byte> stored);

// The same without a copy: the bytes are `stored` itself, or lie in `room`, which grows as it must and may be used for
// one block after another; memory that was touched before is much cheaper than fresh memory.
Result<std::span<const std::byte>> view_block(const Block& block, std::span<const std::byte> stored,
                                              std::vector<std::byte>& room);

}  // namespace hearth::cache
