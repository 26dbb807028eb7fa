#include "cache/packs/fetch_plan.h"

#include <algorithm>
#include <numeric>

namespace hearth::cache {

namespace {

std::vector<Use> uses_of(const Manifest& manifest, const std::function<bool(std::uint32_t)>& wanted) {
  std::vector<Use> uses;
  for (std::uint32_t index = 0; index < manifest.entries.size(); ++index) {
    if (!wanted(index)) continue;
    const Entry entry = manifest.entries[index];
    std::uint64_t offset = 0;
    for (const Extent& extent : entry.extents) {
      if (extent.block != kHole) {
        uses.push_back({extent.block, index, offset, extent.offset, static_cast<std::uint32_t>(extent.length)});
      }
      offset += extent.length;
    }
  }
  std::ranges::stable_sort(uses, {}, &Use::block);
  return uses;
}

bool continues(const FetchRange& range, const Block& block, std::uint64_t target) {
  const std::uint64_t end = range.offset + range.length;
  return range.pack == block.pack && block.offset >= end && block.offset - end <= kWorthARequest &&
         block.offset + block.stored_bytes - range.offset <= target;
}

}  // namespace

FetchPlan::FetchPlan(const Manifest& manifest, std::uint64_t target, const std::function<bool(std::uint32_t)>& wanted)
    : uses_(uses_of(manifest, wanted)) {
  starts_.assign(manifest.blocks.size() + 1, 0);
  for (const Use& use : uses_) ++starts_[use.block + 1];
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  std::vector<std::uint32_t> used;
  for (std::uint32_t block = 0; block < manifest.blocks.size(); ++block) {
    if (!uses(block).empty()) used.push_back(block);
  }
  std::ranges::sort(used, {}, [&](std::uint32_t index) {
    const Block& block = manifest.blocks[index];
    return std::pair(block.pack, block.offset);
  });
  for (const std::uint32_t index : used) {
    const Block& block = manifest.blocks[index];
    if (ranges_.empty() || !continues(ranges_.back(), block, target)) {
      ranges_.push_back({.pack = block.pack, .offset = block.offset, .length = 0, .blocks = {}});
    }
    ranges_.back().length = block.offset + block.stored_bytes - ranges_.back().offset;
    ranges_.back().blocks.push_back(index);
  }
}

std::span<const Use> FetchPlan::uses(std::uint32_t block) const {
  return std::span(uses_).subspan(starts_[block], starts_[block + 1] - starts_[block]);
}

std::uint32_t FetchPlan::blocks_of(const Entry& entry) const {
  std::vector<std::uint32_t> blocks;
  for (const Extent& extent : entry.extents) {
    if (extent.block != kHole) blocks.push_back(extent.block);
  }
  std::ranges::sort(blocks);
  return static_cast<std::uint32_t>(std::ranges::unique(blocks).begin() - blocks.begin());
}

}  // namespace hearth::cache
