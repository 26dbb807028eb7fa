#include "cache/packs/pack_writer.h"

#include <utility>

namespace hearth::cache {

PackWriter::PackWriter(store::ObjectStore& store, const Layout& layout, std::string epoch, std::string save,
                       std::size_t packs_before, std::size_t most_travelling)
    : store_(store),
      layout_(layout),
      epoch_(std::move(epoch)),
      save_(std::move(save)),
      packs_before_(packs_before),
      most_travelling_(most_travelling) {}

Result<void> PackWriter::add(std::uint32_t id, const EncodedView& block, std::vector<Chunk> chunks,
                             const std::stop_token& stop) {
  std::vector<FullPack> full;
  {
    std::unique_lock lock(mutex_);
    const auto may_go_on = [&] { return travelling_ < most_travelling_ || !fills_a_pack(block, chunks.size()); };
    if (!changed_.wait(lock, stop, may_go_on)) return fail(ErrorKind::cancelled, "the save was stopped");
    if (waiting_bytes_ >= kInlineTarget) {
      full = place(id, block, std::move(chunks));
    } else {
      waiting_bytes_ += block.stored.size();
      waiting_.push_back({id, {block.block, {block.stored.begin(), block.stored.end()}}, std::move(chunks)});
      if (waiting_bytes_ >= kInlineTarget) full = place_waiting();
    }
  }
  return upload(std::move(full), stop);
}

Result<WrittenBlocks> PackWriter::finish(MayInline may_inline, const std::stop_token& stop) {
  const bool all_waiting = waiting_bytes_ < kInlineTarget;
  if (all_waiting && may_inline == MayInline::yes) {
    for (const Waiting& next : waiting_) {
      Block block = next.block.block;
      block.pack = kInline;
      block.offset = written_.inline_bytes.size();
      written_.inline_bytes.insert(written_.inline_bytes.end(), next.block.stored.begin(), next.block.stored.end());
      written_.blocks.emplace(next.id, block);
    }
    return std::move(written_);
  }
  std::vector<FullPack> full;
  rooms_ = {};
  if (all_waiting) full = place_waiting();
  if (!builder_.empty()) full.push_back(finish_pack());
  TRY(upload(std::move(full), stop));
  rooms_ = {};
  return std::move(written_);
}

std::vector<PackWriter::FullPack> PackWriter::place_waiting() {
  std::vector<FullPack> full;
  for (Waiting& next : std::exchange(waiting_, {})) {
    for (FullPack& pack : place(next.id, next.block, std::move(next.chunks))) full.push_back(std::move(pack));
  }
  return full;
}

bool PackWriter::fills_a_pack(const EncodedView& block, std::size_t chunks) const {
  const std::uint64_t size = builder_.bytes_with(block.block.stored_bytes, chunks);
  return !builder_.empty() && size > pack_target(packs_before_ + written_.packs.size());
}

std::vector<PackWriter::FullPack> PackWriter::place(std::uint32_t id, const EncodedView& block,
                                                    std::vector<Chunk> chunks) {
  std::vector<FullPack> full;
  if (fills_a_pack(block, chunks.size())) full.push_back(finish_pack());
  if (builder_.empty() && !rooms_.empty()) {
    builder_.reuse(std::move(rooms_.back()));
    rooms_.pop_back();
  }
  Block placed = block.block;
  placed.pack = static_cast<std::uint32_t>(written_.packs.size());
  placed.offset = builder_.add(block, std::move(chunks));
  written_.blocks.emplace(id, placed);
  return full;
}

PackWriter::FullPack PackWriter::finish_pack() {
  FullPack pack{static_cast<std::uint32_t>(written_.packs.size()), builder_.finish()};
  written_.packs.push_back({save_, pack.number, pack.bytes.size()});
  ++travelling_;
  changed_.notify_all();
  return pack;
}

Result<void> PackWriter::upload(std::vector<FullPack> packs, const std::stop_token& stop) {
  for (std::size_t index = 0; index < packs.size(); ++index) {
    FullPack& pack = packs[index];
    const ObjectName name{epoch_, ObjectKind::pack, save_, pack.number};
    // Nobody else uses this name, so there is nothing to compare with.
    Result<store::Version> stored =
        within(name.text(), store_.put(layout_.key(name), std::span(pack.bytes), store::Condition::none(), stop));
    const std::lock_guard guard(mutex_);
    // After an error those behind it do not travel, either.
    travelling_ -= stored ? 1 : packs.size() - index;
    changed_.notify_all();
    if (!stored) return std::unexpected(std::move(stored).error());
    uploaded_bytes_ += pack.bytes.size();
    ++uploaded_objects_;
    rooms_.push_back(std::move(pack.bytes));
  }
  return {};
}

}  // namespace hearth::cache
