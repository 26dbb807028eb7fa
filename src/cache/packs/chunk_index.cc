#include "cache/packs/chunk_index.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <span>

#include "cache/format/content_digest.h"
#include "cache/format/pack.h"
#include "cache/packs/fetch_plan.h"
#include "cache/packs/pack_search.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

// Most trailers fit into this, so that one request is enough.
constexpr std::uint64_t kFirstTail = 128 << 10;

Result<std::vector<std::byte>> fetch_tail(store::ObjectStore& store, const store::Key& key, std::uint64_t pack_bytes,
                                          const std::stop_token& stop) {
  std::uint64_t length = std::min(pack_bytes, kFirstTail);
  store::Object object = TRY(store.get(key, {pack_bytes - length, length}, stop));
  if (object.info.size != pack_bytes || object.bytes.size() != length || length < kPackFooterBytes) {
    return fail(ErrorKind::corrupt, "the pack has {} bytes instead of {}", object.info.size, pack_bytes);
  }
  const std::uint64_t tail = TRY(tail_bytes(std::span(object.bytes).last(kPackFooterBytes), pack_bytes));
  if (tail <= length) {
    object.bytes.erase(object.bytes.begin(), object.bytes.end() - static_cast<std::ptrdiff_t>(tail));
  } else {
    object = TRY(store.get(key, {pack_bytes - tail, tail}, stop));
  }
  return std::move(object.bytes);
}

}  // namespace

ChunkIndex::ChunkIndex(std::vector<Known> known) : known_(std::move(known)) {
  std::ranges::sort(known_, {}, &Known::digest);
}

Result<std::vector<ChunkIndex::Known>> ChunkIndex::of_inline(const Manifest& manifest) {
  std::vector<Known> known;
  const FetchPlan plan(manifest, 0, [](std::uint32_t) { return true; });
  for (std::uint32_t index = 0; index < manifest.blocks.size(); ++index) {
    if (plan.uses(index).empty()) continue;
    const Block& block = manifest.blocks[index];
    const std::vector<std::byte> raw =
        TRY(decode_block(block, std::span(manifest.inline_bytes).subspan(block.offset, block.stored_bytes)));
    std::vector<std::span<const std::byte>> contents;
    for (const Use& use : plan.uses(index)) {
      contents.push_back(std::span(raw).subspan(use.offset_in_block, use.length));
      known.push_back({{}, index, use.offset_in_block, use.length});
    }
    auto digested = known.end() - std::ssize(contents);
    for (const util::Digest& digest : content_digests(contents)) (digested++)->digest = digest;
  }
  return known;
}

Result<std::vector<ChunkIndex::Known>> ChunkIndex::of_pack(store::ObjectStore& store, const store::Key& key,
                                                           const Manifest& manifest, std::uint32_t pack,
                                                           const std::stop_token& stop) {
  const std::uint64_t pack_bytes = manifest.packs[pack].bytes;
  const std::vector<std::byte> tail = TRY(fetch_tail(store, key, pack_bytes, stop));
  std::map<std::uint64_t, std::uint32_t> by_offset;
  for (std::uint32_t index = 0; index < manifest.blocks.size(); ++index) {
    if (manifest.blocks[index].pack == pack) by_offset.emplace(manifest.blocks[index].offset, index);
  }
  std::vector<Known> known;
  for (const PackedBlock& packed : TRY(decode_tail(tail, pack_bytes))) {
    const auto block = by_offset.find(packed.block.offset);
    if (block == by_offset.end()) continue;
    if (manifest.blocks[block->second].digest != packed.block.digest) {
      return fail(ErrorKind::corrupt, "the trailer and the manifest disagree about the block at {}", block->first);
    }
    for (const Chunk& chunk : packed.chunks) known.push_back({chunk.digest, block->second, chunk.offset, chunk.length});
  }
  return known;
}

std::expected<ChunkIndex, ChunkIndex::Failure> ChunkIndex::load(store::ObjectStore& store, const Layout& layout,
                                                                const std::string& epoch, const Manifest& manifest,
                                                                const std::vector<bool>& wanted,
                                                                const std::stop_token& stop) {
  if (manifest.packs.empty()) {
    Result<std::vector<Known>> known = of_inline(manifest);
    if (!known) return std::unexpected(Failure{std::move(known).error(), std::nullopt});
    return ChunkIndex(std::move(*known));
  }
  std::atomic<std::uint32_t> next = 0;
  std::mutex mutex;
  std::vector<Known> all;
  std::optional<ObjectName> damaged;
  const auto work = [&](const std::stop_token& token) -> Result<void> {
    for (std::uint32_t pack = next++; pack < manifest.packs.size(); pack = next++) {
      if (!wanted[pack]) continue;
      const ObjectName name{epoch, ObjectKind::pack, manifest.packs[pack].save, manifest.packs[pack].number};
      Result<std::vector<Known>> known = within(name.text(), of_pack(store, layout.key(name), manifest, pack, token));
      const std::lock_guard guard(mutex);
      if (!known) {
        if (!damaged && is_damage(known.error().kind)) damaged = name;
        return std::unexpected(std::move(known).error());
      }
      all.insert(all.end(), known->begin(), known->end());
    }
    return {};
  };
  const unsigned threads = std::min(thread_count(0), static_cast<unsigned>(manifest.packs.size()));
  Result<void> loaded = in_parallel(threads, stop, work);
  if (!loaded) {
    if (!is_damage(loaded.error().kind)) damaged.reset();
    return std::unexpected(Failure{std::move(loaded).error(), damaged});
  }
  return ChunkIndex(std::move(all));
}

std::vector<ChunkIndex::Known> ChunkIndex::by_place() const {
  std::vector<Known> sorted = known_;
  std::ranges::sort(sorted, {}, [](const Known& known) { return std::pair(known.block, known.offset); });
  return sorted;
}

std::optional<Extent> ChunkIndex::find(const util::Digest& digest, std::uint64_t length,
                                       const std::optional<Extent>& preferred) const {
  std::optional<Extent> found;
  for (const Known& known : std::ranges::equal_range(known_, digest, {}, &Known::digest)) {
    if (known.length != length) continue;
    const Extent extent{known.block, known.offset, length};
    if (extent == preferred) return extent;
    if (!found) found = extent;
  }
  return found;
}

}  // namespace hearth::cache
