// Which bytes a restore fetches, and what each block's content is for.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cache/format/manifest.h"

namespace hearth::cache {

// Moving this many bytes costs less than another request.
inline constexpr std::uint64_t kWorthARequest = 256 << 10;

// A part of a file that lies in a block.
struct Use {
  std::uint32_t block = 0;
  std::uint32_t entry = 0;  // index into Manifest::entries
  std::uint64_t offset_in_file = 0;
  std::uint32_t offset_in_block = 0;
  std::uint32_t length = 0;
};

// Neighbouring blocks that are fetched by one request.
struct FetchRange {
  std::uint32_t pack = 0;  // index into Manifest::packs, or kInline
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::vector<std::uint32_t> blocks;  // in the order of their offsets
};

class FetchPlan {
 public:
  // Ranges are about `target` bytes long, or one block. `wanted` tells by their indices which entries' content is
  // wanted; blocks that none of them uses are left out where that saves anything.
  FetchPlan(const Manifest& manifest, std::uint64_t target, const std::function<bool(std::uint32_t)>& wanted);

  const std::vector<FetchRange>& ranges() const { return ranges_; }
  // In the order of the entries, and of the content of each.
  std::span<const Use> uses(std::uint32_t block) const;
  // How many blocks hold content of the entry.
  std::uint32_t blocks_of(const Entry& entry) const;

 private:
  std::vector<Use> uses_;            // sorted by block
  std::vector<std::size_t> starts_;  // of each block's uses, and the end
  std::vector<FetchRange> ranges_;
};

}  // namespace hearth::cache
