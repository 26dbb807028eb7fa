#include "cache/packs/chunk_index.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <numeric>
#include <utility>

#include "cache/format/content_digest.h"
#include "cache/format/pack.h"
#include "cache/packs/fetch_plan.h"
#include "cache/packs/pack_part.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

// Most trailers fit into this, so that one request is enough.
constexpr std::uint64_t kFirstTail = 128 << 10;
// A table of places by so many bits of the digest is small beside what it is for.
constexpr unsigned kMostBits = 24;
constexpr unsigned kFirstBits = 32;

Result<std::vector<std::byte>> fetch_tail(store::ObjectStore& store, const store::Key& key, std::uint64_t pack_bytes,
                                          const std::stop_token& stop) {
  std::uint64_t length = std::min(pack_bytes, kFirstTail);
  store::Object object = TRY(fetch_part(store, key, pack_bytes, {pack_bytes - length, length}, stop));
  if (object.info.size != pack_bytes || object.bytes.size() != length || length < kPackFooterBytes) {
    return fail(ErrorKind::corrupt, "the pack has {} bytes instead of {}", object.info.size, pack_bytes);
  }
  const std::uint64_t tail = TRY(tail_bytes(std::span(object.bytes).last(kPackFooterBytes), pack_bytes));
  if (tail <= length) {
    object.bytes.erase(object.bytes.begin(), object.bytes.end() - static_cast<std::ptrdiff_t>(tail));
  } else {
    object = TRY(fetch_part(store, key, pack_bytes, {pack_bytes - tail, tail}, stop));
  }
  return std::move(object.bytes);
}

// The blocks by pack and offset.
std::vector<std::uint32_t> blocks_in_order(const Manifest& manifest) {
  std::vector<std::uint32_t> order(manifest.blocks.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&](std::uint32_t index) {
    return std::pair(manifest.blocks[index].pack, manifest.blocks[index].offset);
  });
  return order;
}

// In their order as digests.
std::uint32_t first_bits(const util::Digest& digest) {
  std::uint32_t bits = 0;
  for (std::size_t byte = 0; byte < sizeof bits; ++byte) {
    bits = bits << 8 | std::to_integer<std::uint32_t>(digest.bytes[byte]);
  }
  return bits;
}

}  // namespace

ChunkIndex::ChunkIndex(std::vector<Known> known)
    : known_(std::move(known)), bits_(std::min(static_cast<unsigned>(std::bit_width(known_.size())), kMostBits)) {
  std::ranges::sort(known_, [](const Known& left, const Known& right) {
    const std::uint32_t one = first_bits(left.digest);
    const std::uint32_t other = first_bits(right.digest);
    return one != other ? one < other : left.digest < right.digest;
  });
  // Digests are spread evenly, so each share of them is a few.
  starts_.resize((std::size_t{1} << bits_) + 1);
  for (const Known& one : known_) ++starts_[share_of(one.digest) + 1];
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
}

std::size_t ChunkIndex::share_of(const util::Digest& digest) const {
  return std::uint64_t{first_bits(digest)} >> (kFirstBits - bits_);
}

std::vector<ChunkIndex::Known> ChunkIndex::of_inline(const Manifest& manifest) {
  std::vector<Known> known;
  const FetchPlan plan(manifest, 0, [](std::uint32_t) { return true; });
  for (std::uint32_t index = 0; index < manifest.blocks.size(); ++index) {
    if (plan.uses(index).empty()) continue;
    const Block& block = manifest.blocks[index];
    const Result<std::vector<std::byte>> raw =
        decode_block(block, std::span(manifest.inline_bytes).subspan(block.offset, block.stored_bytes));
    // Whoever has that content stores it anew.
    if (!raw) continue;
    std::vector<std::span<const std::byte>> contents;
    for (const Use& use : plan.uses(index)) {
      contents.push_back(std::span(*raw).subspan(use.offset_in_block, use.length));
      known.push_back({{}, index, use.offset_in_block, use.length});
    }
    auto digested = known.end() - std::ssize(contents);
    for (const util::Digest& digest : content_digests(contents)) (digested++)->digest = digest;
  }
  return known;
}

Result<std::vector<ChunkIndex::Known>> ChunkIndex::of_pack(store::ObjectStore& store, const store::Key& key,
                                                           const Manifest& manifest, std::uint32_t pack,
                                                           std::span<const std::uint32_t> blocks,
                                                           const std::stop_token& stop) {
  const std::uint64_t pack_bytes = manifest.packs[pack].bytes;
  const std::vector<std::byte> tail = TRY(fetch_tail(store, key, pack_bytes, stop));
  std::vector<Known> known;
  // Both are in the order of the offsets.
  auto next = blocks.begin();
  for (const PackedBlock& packed : TRY(decode_tail(tail, pack_bytes))) {
    while (next != blocks.end() && manifest.blocks[*next].offset < packed.block.offset) ++next;
    if (next == blocks.end() || manifest.blocks[*next].offset != packed.block.offset) continue;
    // Where they disagree, chunks may lie outside of the block that the manifest speaks of.
    if (!same_stored(manifest.blocks[*next], packed.block)) {
      return fail(ErrorKind::corrupt, "the trailer and the manifest disagree about the block at {}",
                  packed.block.offset);
    }
    for (const Chunk& chunk : packed.chunks) known.push_back({chunk.digest, *next, chunk.offset, chunk.length});
  }
  return known;
}

std::expected<ChunkIndex, ChunkIndex::Failure> ChunkIndex::load(store::ObjectStore& store, const Layout& layout,
                                                                const std::string& epoch, const Manifest& manifest,
                                                                const std::vector<bool>& wanted,
                                                                const std::stop_token& stop) {
  if (manifest.packs.empty()) return ChunkIndex(of_inline(manifest));
  const std::vector<std::uint32_t> order = blocks_in_order(manifest);
  std::atomic<std::uint32_t> next = 0;
  std::mutex mutex;
  std::vector<Known> all;
  std::vector<DamagedPack> damaged;
  const auto work = [&](const std::stop_token& token) -> Result<void> {
    for (std::uint32_t pack = next++; pack < manifest.packs.size(); pack = next++) {
      if (!wanted[pack]) continue;
      const ObjectName name{epoch, ObjectKind::pack, manifest.packs[pack].save, manifest.packs[pack].number};
      const auto blocks =
          std::ranges::equal_range(order, pack, {}, [&](std::uint32_t index) { return manifest.blocks[index].pack; });
      Result<std::vector<Known>> known =
          within(name.text(), of_pack(store, layout.key(name), manifest, pack, blocks, token));
      const std::lock_guard guard(mutex);
      if (known) {
        all.insert(all.end(), known->begin(), known->end());
      } else if (is_damage(known.error().kind)) {
        damaged.push_back({name, std::move(known).error().message});
      } else {
        return std::unexpected(std::move(known).error());
      }
    }
    return {};
  };
  const unsigned threads = std::min(thread_count(0), static_cast<unsigned>(manifest.packs.size()));
  Result<void> loaded = in_parallel(threads, stop, work);
  if (!loaded) return std::unexpected(Failure{std::move(loaded).error(), {}});
  if (damaged.empty()) return ChunkIndex(std::move(all));
  std::ranges::sort(damaged, {}, &DamagedPack::pack);
  Error error{ErrorKind::corrupt, damaged.front().problem};
  return std::unexpected(Failure{std::move(error), std::move(damaged)});
}

std::vector<ChunkIndex::Known> ChunkIndex::by_place() const {
  std::vector<Known> sorted = known_;
  std::ranges::sort(sorted, {}, [](const Known& known) { return std::pair(known.block, known.offset); });
  return sorted;
}

std::optional<Extent> ChunkIndex::find(const util::Digest& digest, std::uint64_t length,
                                       const std::optional<Extent>& preferred) const {
  std::optional<Extent> found;
  if (known_.empty()) return found;
  const std::size_t share = share_of(digest);
  const auto candidates = std::span(known_).subspan(starts_[share], starts_[share + 1] - starts_[share]);
  for (const Known& known : std::ranges::equal_range(candidates, digest, {}, &Known::digest)) {
    if (known.length != length) continue;
    const Extent extent{known.block, known.offset, length};
    if (extent == preferred) return extent;
    if (!found) found = extent;
  }
  return found;
}

}  // namespace hearth::cache
