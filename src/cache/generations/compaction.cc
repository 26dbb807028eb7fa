#include "cache/generations/compaction.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <utility>

#include "cache/format/pack.h"

namespace hearth::cache {

namespace {

// A save rewrites no more live bytes than this, unless a single pack has more.
constexpr double kMostRewritten = 256.0 * (1 << 20);
constexpr double kDeadShare = 0.15;
// What a chunk takes in its pack's trailer, which is there however live the pack is.
constexpr double kTrailerShare = 48;

struct Wear {
  double live = 0;  // stored bytes that the generation still needs, estimated by their share of raw bytes
  double dead = 0;
};

// Several files may share a chunk; it counts once.
std::vector<Extent> live_chunks(const Manifest& base) {
  std::vector<Extent> chunks;
  chunks.reserve(base.entries.size());
  for (std::size_t index = 0; index < base.entries.size(); ++index) {
    for (const Extent& extent : base.entries[index].extents) {
      if (extent.block != kHole) chunks.push_back(extent);
    }
  }
  const auto place = [](const Extent& extent) { return std::pair(extent.block, extent.offset); };
  // New content lies in the order of the paths, so most of it is sorted already.
  if (!std::ranges::is_sorted(chunks, {}, place)) std::ranges::sort(chunks, {}, place);
  const auto repeated = std::ranges::unique(chunks, {}, place);
  chunks.erase(repeated.begin(), repeated.end());
  return chunks;
}

std::vector<Wear> measure(const Manifest& base) {
  std::vector<double> raw(base.blocks.size());
  std::vector<Wear> packs(base.packs.size());
  std::vector<double> trailers(base.packs.size());
  for (const Extent& chunk : live_chunks(base)) {
    raw[chunk.block] += static_cast<double>(chunk.length);
    if (const std::uint32_t pack = base.blocks[chunk.block].pack; pack != kInline) trailers[pack] += kTrailerShare;
  }
  for (std::size_t index = 0; index < base.blocks.size(); ++index) {
    const Block& block = base.blocks[index];
    if (block.pack == kInline) continue;
    packs[block.pack].live += block.stored_bytes * std::min(1.0, raw[index] / block.raw_bytes);
  }
  for (std::size_t index = 0; index < packs.size(); ++index) {
    packs[index].dead =
        std::max(0.0, static_cast<double>(base.packs[index].bytes) - packs[index].live - trailers[index] - 64);
  }
  return packs;
}

// In how many packs a first save stores so much.
std::size_t packs_of(double bytes) {
  std::size_t packs = 0;
  for (; bytes > 0; ++packs) bytes -= static_cast<double>(pack_target(packs));
  return packs;
}

}  // namespace

std::vector<bool> worn_packs(const Manifest& base) {
  const std::vector<Wear> packs = measure(base);
  std::vector<bool> worn(packs.size());
  double live = 0;
  double dead = 0;
  for (const Wear& pack : packs) {
    live += pack.live;
    dead += pack.dead;
  }
  double rewritten = 0;
  std::size_t left = packs.size();
  const auto rewrite = [&](std::size_t index) {
    if (worn[index] || (rewritten > 0 && rewritten + packs[index].live > kMostRewritten)) return;
    worn[index] = true;
    rewritten += packs[index].live;
    dead -= packs[index].dead;
    --left;
  };
  std::vector<std::size_t> order(packs.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, std::greater<>(),
                    [&](std::size_t index) { return packs[index].dead / (packs[index].live + packs[index].dead + 1); });
  for (const std::size_t index : order) {
    if (dead > kDeadShare * live) rewrite(index);
  }
  const std::size_t ideal = packs_of(live);
  const std::size_t surplus = std::max<std::size_t>(2, ideal / 3);
  // What is rewritten, or new, becomes one more pack, at least.
  if (left + 1 <= ideal + surplus) return worn;
  std::ranges::sort(order, {}, [&](std::size_t index) { return packs[index].live; });
  for (const std::size_t index : order) {
    if (left + 1 > ideal + surplus / 2) rewrite(index);
  }
  return worn;
}

}  // namespace hearth::cache
