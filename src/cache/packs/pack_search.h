// Looks for damage in the packs of a cache, block by block.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/format/pack.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// For one HEAD. The functions are for one thread, look_at_packs() has threads of its own.
class PackSearch {
 public:
  // `threads` (0: one per core) read at the same time, a pack each in memory. `progress` (null: nobody) is of the
  // packs.
  PackSearch(store::ObjectStore& store, const Layout& layout, std::string epoch, unsigned threads,
             const std::stop_token& stop, util::Progress* progress = nullptr);

  // Once, with all generations that the other functions are asked for. Errors: the store's; damage is none.
  Result<void> look_at_packs(const std::vector<Generation>& generations);

  // Makes damage in the generation's packs known, whatever of them it needs.
  void tell_packs(const Generation& generation);
  // The same, and by block of the generation's manifest: whether its content cannot be had. Errors: the store's.
  Result<std::vector<bool>> bad_blocks(const Manifest& manifest, const Generation& generation);

  // Whether something about the pack is not as it should be.
  bool is_damaged(const PackName& pack) const;
  // What lies in a damaged pack, where its trailer is as it should be; else nothing.
  const std::vector<PackedBlock>& trailer_of(const PackName& pack) const;

  // What was made known by now: problems by object, as messages name it.
  const std::map<std::string, std::string>& damaged() const { return damaged_; }
  std::size_t packs() const { return packs_.size(); }
  std::uint64_t read_bytes() const { return read_bytes_; }

 private:
  // What was found out about a pack.
  struct State {
    std::optional<std::string> problem;
    std::map<std::uint64_t, Block> blocks;  // of a good one, by offset
    std::vector<PackedBlock> trailer;       // of a damaged one
  };

  void begin_progress() const;
  Result<void> look_at(const PackName& pack, State& state, const std::stop_token& stop);
  static bool has(const State& state, Block block);
  Result<bool> is_good_by_itself(const PackName& pack, const Block& block);
  ObjectName name_of(const PackName& pack) const { return {epoch_, ObjectKind::pack, pack.save, pack.number}; }

  store::ObjectStore& store_;
  const Layout& layout_;
  const std::string epoch_;
  const unsigned threads_;
  const std::stop_token& stop_;
  util::Progress* const progress_;
  std::map<PackName, State> packs_;  // the map itself is complete before the threads start
  std::map<std::string, std::string> damaged_;
  std::atomic<std::uint64_t> read_bytes_ = 0;
};

}  // namespace hearth::cache
