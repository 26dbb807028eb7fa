#include "cache/packs/pack_search.h"

#include <mutex>
#include <span>
#include <utility>

#include "cache/packs/pack_part.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

Result<std::vector<PackedBlock>> blocks_of(const PackName& pack, const Result<store::Object>& object) {
  if (!object) return std::unexpected(object.error());
  if (object->info.size != pack.bytes || object->bytes.size() != pack.bytes) {
    return fail(ErrorKind::corrupt, "{} bytes instead of {}", object->info.size, pack.bytes);
  }
  return verify_pack(object->bytes);
}

// Of a damaged pack, if its end is as it was written.
std::vector<PackedBlock> trailer_in(const PackName& pack, const Result<store::Object>& object) {
  if (!object || object->bytes.size() != pack.bytes || pack.bytes < kPackFooterBytes) return {};
  const std::span<const std::byte> bytes(object->bytes);
  const Result<std::uint64_t> tail = tail_bytes(bytes.last(kPackFooterBytes), pack.bytes);
  if (!tail) return {};
  return decode_tail(bytes.last(*tail), pack.bytes).value_or(std::vector<PackedBlock>());
}

}  // namespace

PackSearch::PackSearch(store::ObjectStore& store, const Layout& layout, std::string epoch, unsigned threads,
                       const std::stop_token& stop, util::Progress* progress)
    : store_(store),
      layout_(layout),
      epoch_(std::move(epoch)),
      threads_(core_count(threads)),
      stop_(stop),
      progress_(progress) {}

Result<void> PackSearch::look_at_packs(const std::vector<Generation>& generations) {
  for (const Generation& generation : generations) {
    for (const PackName& pack : generation.packs) packs_.try_emplace(pack);
  }
  begin_progress();
  std::mutex mutex;
  auto next = packs_.begin();
  return in_parallel(threads_, stop_, [&](const std::stop_token& token) -> Result<void> {
    while (true) {
      std::unique_lock lock(mutex);
      if (next == packs_.end()) return {};
      auto& [pack, state] = *next++;
      lock.unlock();
      TRY(look_at(pack, state, token));
      if (progress_ != nullptr) progress_->add(pack.bytes);
    }
  });
}

void PackSearch::begin_progress() const {
  if (progress_ == nullptr) return;
  std::uint64_t total = 0;
  for (const auto& [pack, state] : packs_) total += pack.bytes;
  progress_->begin(total);
}

Result<void> PackSearch::look_at(const PackName& pack, State& state, const std::stop_token& stop) {
  const Result<store::Object> object =
      store_.get(layout_.key(name_of(pack)), {.offset = 0, .length = pack.bytes + 1}, stop);
  if (!object && !is_damage(object.error().kind)) return std::unexpected(object.error());
  if (object) read_bytes_ += object->bytes.size();
  const Result<std::vector<PackedBlock>> blocks = blocks_of(pack, object);
  if (!blocks) {
    state.problem = blocks.error().message;
    state.trailer = trailer_in(pack, object);
    return {};
  }
  for (const auto& [block, chunks] : *blocks) state.blocks.emplace(block.offset, block);
  return {};
}

void PackSearch::tell_packs(const Generation& generation) {
  for (const PackName& pack : generation.packs) {
    if (const auto& problem = packs_.at(pack).problem) damaged_.emplace(name_of(pack).text(), *problem);
  }
}

Result<std::vector<bool>> PackSearch::bad_blocks(const Manifest& manifest, const Generation& generation) {
  tell_packs(generation);
  std::vector<bool> bad(manifest.blocks.size());
  for (std::size_t index = 0; index < bad.size(); ++index) {
    const Block& block = manifest.blocks[index];
    if (block.pack == kInline) {
      bad[index] =
          !decode_block(block, std::span(manifest.inline_bytes).subspan(block.offset, block.stored_bytes)).has_value();
      if (bad[index]) {
        damaged_.emplace(ObjectName{epoch_, ObjectKind::manifest, generation.id, 0}.text(), "its inline bytes");
      }
      continue;
    }
    const PackName& pack = manifest.packs[block.pack];
    const State& state = packs_.at(pack);
    if (state.problem) {
      const bool good = TRY(is_good_by_itself(pack, block));
      bad[index] = !good;
    } else {
      bad[index] = !has(state, block);
    }
    if (bad[index] && !state.problem) {
      damaged_.emplace(name_of(pack).text(), "it is another pack than the manifests speak of");
    }
  }
  return bad;
}

bool PackSearch::is_damaged(const PackName& pack) const {
  return damaged_.contains(name_of(pack).text());
}

const std::vector<PackedBlock>& PackSearch::trailer_of(const PackName& pack) const {
  return packs_.at(pack).trailer;
}

bool PackSearch::has(const State& state, Block block) {
  const auto found = state.blocks.find(block.offset);
  block.pack = 0;
  return found != state.blocks.end() && found->second == block;
}

// Of a damaged pack some blocks may still be good.
Result<bool> PackSearch::is_good_by_itself(const PackName& pack, const Block& block) {
  const Result<store::Object> object =
      fetch_part(store_, layout_.key(name_of(pack)), pack.bytes, {block.offset, block.stored_bytes}, stop_);
  if (!object) {
    if (!is_damage(object.error().kind)) return std::unexpected(object.error());
    return false;
  }
  return decode_block(block, object->bytes).has_value();
}

}  // namespace hearth::cache
