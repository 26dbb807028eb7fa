// The content of a block again: from the store where it is good, else from local files, as far as it is proved to be
// what was saved.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/format/block.h"
#include "cache/format/compression.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/format/pack.h"
#include "cache/restore/local_content.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

// A set of bytes of a block.
class Stretches {
 public:
  void add(std::uint32_t begin, std::uint32_t length);
  bool contains(std::uint32_t begin, std::uint32_t length) const;
  // Where a byte of the set comes to lie when only the set is written, in order.
  std::uint32_t place_of(std::uint32_t byte) const;
  // Each stretch's begin and end; none touches the next.
  const std::map<std::uint32_t, std::uint32_t>& all() const { return ends_; }

 private:
  std::map<std::uint32_t, std::uint32_t> ends_;  // by begin
};

// A part of a file that lies in a block.
struct Holder {
  std::uint32_t owner = 0;  // the caller's
  std::string path;
  std::uint64_t file_bytes = 0;
  std::uint64_t offset = 0;  // in the file
  std::uint32_t begin = 0;   // in the block's raw bytes
  std::uint32_t length = 0;
  bool proved = false;  // the local file at this path is known to have it
};

struct LostBlock {
  PackName pack;
  Block block;                  // Block::pack says nothing
  bool good = false;            // it can be fetched
  std::vector<Chunk> chunks;    // what lies in it, where the pack's trailer can be read, and speaks of this very block
  std::vector<Holder> holders;  // inside of it, as the chunks
};

struct Recovered {
  std::vector<std::byte> raw;  // the block's; zeros where nothing is proved
  Stretches proved;
};

// For one thread.
class BlockRecovery {
 public:
  BlockRecovery(store::ObjectStore& store, const Layout& layout, std::string epoch, LocalContent& local,
                const std::stop_token& stop)
      : store_(store), layout_(layout), epoch_(std::move(epoch)), local_(local), stop_(stop) {}

  // Errors: the store's. Adds to wanted() what it found nowhere.
  Result<Recovered> recover(const LostBlock& lost);

  // Digests of content to look for in the whole directory.
  const std::set<util::Digest>& wanted() const { return wanted_; }

 private:
  void take_chunk(const LostBlock& lost, const Chunk& chunk, Recovered& recovered);
  void take_whole(const LostBlock& lost, Recovered& recovered);
  bool is_block(const Block& block, const std::vector<std::byte>& raw);

  store::ObjectStore& store_;
  const Layout& layout_;
  const std::string epoch_;
  LocalContent& local_;
  const std::stop_token& stop_;
  std::set<util::Digest> wanted_;
  int level_ = kDefaultCompressionLevel;  // that blocks were last found to be compressed with
  int searches_left_ = 4;                 // how often all levels may be tried in vain
};

}  // namespace hearth::cache
