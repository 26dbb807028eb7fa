// Packs: objects of some tens of MiB of blocks, and behind them, in a trailer that a restore never reads, the chunks
// that lie in each block, so that a later save finds content that it need not store again.
//
//   pack = magic, block*, trailer, footer
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cache/format/block.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

// A pack is finished before it would pass this. As many as travel at the same time are in memory.
inline constexpr std::uint64_t kPackTarget = 16 << 20;
// What the pack that is written after so many of its cache does not pass. The first ones are smaller: the first upload
// begins sooner, and a small cache is not written anew in large pieces.
constexpr std::uint64_t pack_target(std::size_t packs_before) {
  return packs_before < 6 ? 8 << 20 : kPackTarget;
}
// No pack is larger; decoders refuse it.
inline constexpr std::uint64_t kPackLimit = 256 << 20;

// The content of a small file, or a piece of a large one.
struct Chunk {
  util::Digest digest;       // content_digest of its raw bytes
  std::uint32_t offset = 0;  // in the raw bytes of its block
  std::uint32_t length = 0;  // at least 1

  bool operator==(const Chunk&) const = default;
};

struct PackedBlock {
  Block block;  // pack is 0: the caller knows which pack this is
  std::vector<Chunk> chunks;

  bool operator==(const PackedBlock&) const = default;
};

// Gathers one pack in memory.
class PackBuilder {
 public:
  PackBuilder();

  // Appends the block; returns the offset of its first stored byte, Block::offset. Every chunk lies in the block.
  std::uint64_t add(const EncodedView& block, std::vector<Chunk> chunks);

  bool empty() const { return blocks_.empty(); }
  // The next pack is made in the memory of an old one, which is much cheaper than fresh memory. While it is empty.
  void reuse(std::vector<std::byte> room) {
    bytes_ = std::move(room);
    bytes_.clear();
  }
  // The size that the pack has at most if it is finished after one more block of these sizes.
  std::uint64_t bytes_with(std::uint32_t stored_bytes, std::size_t chunks) const;

  // The whole pack. The builder is empty afterwards, and ready for the next one.
  std::vector<std::byte> finish();

 private:
  std::vector<std::byte> bytes_;
  std::vector<PackedBlock> blocks_;
  std::size_t chunks_ = 0;
};

// The last bytes of every pack, from which the trailer's size is told.
inline constexpr std::uint64_t kPackFooterBytes = 48;

// How many bytes at the end of a pack hold its trailer and footer. `footer` is the last kPackFooterBytes of a pack that
// is `pack_bytes` large. corrupt: it is no footer, or does not fit into the pack.
Result<std::uint64_t> tail_bytes(std::span<const std::byte> footer, std::uint64_t pack_bytes);

// What lies in the pack, in the order of the offsets. `tail` is its last tail_bytes(). Verified against the footer's
// checksum; blocks outside of the pack, overlapping or absurd ones and chunks outside of their block are corrupt.
Result<std::vector<PackedBlock>> decode_tail(std::span<const std::byte> tail, std::uint64_t pack_bytes);

// Everything about a whole pack, verified down to each block's stored bytes: nothing that lies in it is unaccounted
// for.
Result<std::vector<PackedBlock>> verify_pack(std::span<const std::byte> pack);

}  // namespace hearth::cache
