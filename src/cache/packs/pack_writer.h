// Takes the new blocks of a save, gathers them in packs, and stores each pack as soon as it is full.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/format/block.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/format/pack.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// Where the new blocks of a save came to lie: in packs, or inside the manifest.
struct WrittenBlocks {
  std::unordered_map<std::uint32_t, Block> blocks;  // by the id that add() was given; Block::pack indexes `packs`
  std::vector<PackName> packs;                      // in the order of their numbers
  std::vector<std::byte> inline_bytes;
};

enum class MayInline { no, yes };

// add() may be called from several threads at once; it stores full packs in the calling thread, so whoever produces
// faster than the store takes is slowed down. Few packs travel at the same time; while they do, the next one waits in
// the making until it may, and so does whoever has a block for the one after it. So no more than these packs are in
// memory, and a block for each thread.
class PackWriter {
 public:
  // `packs_before`: how many of others the generation names besides. `most_travelling`: how many packs are stored at
  // the same time, at least 1; they and the next one are in memory.
  PackWriter(store::ObjectStore& store, const Layout& layout, std::string epoch, std::string save,
             std::size_t packs_before, std::size_t most_travelling);

  // `id` is new with each call; the chunks lie in the block, whose bytes are the caller's, and of no more use
  // afterwards. Errors: the store's, and cancelled.
  Result<void> add(std::uint32_t id, const EncodedView& block, std::vector<Chunk> chunks, const std::stop_token& stop);

  // Stores what is left. All blocks together that take less than kInlineTarget are handed back as inline bytes where
  // that is allowed, and nothing was stored. Once, after the last add().
  Result<WrittenBlocks> finish(MayInline may_inline, const std::stop_token& stop);

  std::uint64_t uploaded_bytes() const { return uploaded_bytes_; }
  std::uint64_t uploaded_objects() const { return uploaded_objects_; }

 private:
  struct Waiting {
    std::uint32_t id = 0;
    EncodedBlock block;
    std::vector<Chunk> chunks;
  };
  struct FullPack {
    std::uint32_t number = 0;
    std::vector<std::byte> bytes;
  };

  // REQUIRES: mutex_ is held. What is returned is to be stored after it is released, and travels from now on.
  bool fills_a_pack(const EncodedView& block, std::size_t chunks) const;
  std::vector<FullPack> place(std::uint32_t id, const EncodedView& block, std::vector<Chunk> chunks);
  FullPack finish_pack();
  std::vector<FullPack> place_waiting();

  Result<void> upload(std::vector<FullPack> packs, const std::stop_token& stop);

  store::ObjectStore& store_;
  const Layout& layout_;
  const std::string epoch_;
  const std::string save_;
  const std::size_t packs_before_;
  const std::size_t most_travelling_;
  std::mutex mutex_;
  std::condition_variable_any changed_;  // a pack has arrived, or a new one was begun
  std::size_t travelling_ = 0;           // packs that are being stored, or are about to be
  std::vector<Waiting> waiting_;         // until it is clear that there will be packs
  std::uint64_t waiting_bytes_ = 0;
  PackBuilder builder_;
  std::vector<std::vector<std::byte>> rooms_;  // memory of packs that have arrived
  WrittenBlocks written_;
  std::uint64_t uploaded_bytes_ = 0;
  std::uint64_t uploaded_objects_ = 0;
};

}  // namespace hearth::cache
