// Manifests as differences.
#include <algorithm>
#include <numeric>
#include <utility>

#include "cache/format/compression.h"
#include "cache/format/manifest_body.h"
#include "cache/format/manifest_frame.h"

namespace hearth::cache {

namespace {

constexpr std::uint32_t kNowhere = UINT32_MAX;

enum Step : std::uint8_t { step_keep = 0, step_drop = 1, step_put = 2, step_touch = 3 };
constexpr unsigned kStepBits = 2;

// For each of `packs` its number among `others`, or kNowhere.
std::vector<std::uint32_t> numbers_among(const std::vector<PackName>& others, const std::vector<PackName>& packs) {
  std::vector<std::uint32_t> order(others.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto name = [&](std::uint32_t number) -> const PackName& { return others[number]; };
  std::ranges::sort(order, {}, name);
  std::vector<std::uint32_t> numbers;
  numbers.reserve(packs.size());
  for (const PackName& pack : packs) {
    const auto found = std::ranges::lower_bound(order, pack, {}, name);
    numbers.push_back(found == order.end() || others[*found] != pack ? kNowhere : *found);
  }
  return numbers;
}

// For each block of base its number in next, or kNowhere; and the other way round.
struct BlockMap {
  std::vector<std::uint32_t> to_next;
  std::vector<std::uint32_t> to_base;
};

// By where they lie, since blocks do not overlap; many may have the same digest.
BlockMap map_blocks(const Manifest& base, const Manifest& next) {
  BlockMap map{.to_next = std::vector(base.blocks.size(), kNowhere),
               .to_base = std::vector(next.blocks.size(), kNowhere)};
  const std::vector<std::uint32_t> packs = numbers_among(next.packs, base.packs);
  const auto place = [&](std::uint32_t index) {
    return std::pair(packs[base.blocks[index].pack], base.blocks[index].offset);
  };
  std::vector<std::uint32_t> order(base.blocks.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, place);
  for (std::uint32_t i = 0; i < next.blocks.size(); ++i) {
    const Block& block = next.blocks[i];
    const auto found = std::ranges::lower_bound(order, std::pair(block.pack, block.offset), {}, place);
    if (found == order.end() || place(*found) != std::pair(block.pack, block.offset)) continue;
    if (!same_stored(base.blocks[*found], block)) continue;
    map.to_base[i] = *found;
    map.to_next[*found] = i;
  }
  return map;
}

// Runs: an even number 2n is followed by n blocks, an odd one 2n+1 by the first of n blocks of the base.
void write_block_runs(ByteWriter& writer, const Manifest& next, const std::vector<std::uint32_t>& to_base) {
  ByteWriter runs;
  std::size_t count = 0;
  for (std::size_t i = 0; i < to_base.size(); ++count) {
    const bool taken = to_base[i] != kNowhere;
    std::size_t end = i + 1;
    while (end < to_base.size() && (taken ? to_base[end] == to_base[end - 1] + 1 : to_base[end] == kNowhere)) ++end;
    runs.varint(((end - i) << 1) | (taken ? 1U : 0U));
    if (taken) runs.varint(to_base[i]);
    for (std::size_t block = i; block < end && !taken; ++block) write_block(runs, next.blocks[block]);
    i = end;
  }
  writer.varint(count);
  writer.raw(runs.bytes());
}

// The base's blocks as a delta takes them over.
class BlockTaker {
 public:
  BlockTaker(const Manifest& base, Manifest& next)
      : base_(base),
        next_(next),
        packs_(numbers_among(next.packs, base.packs)),
        to_next_(base.blocks.size(), kNowhere) {}

  // Appends it to next; false if it was taken already, or its pack is not one of next's.
  bool take(std::size_t index) {
    Block block = base_.blocks[index];
    block.pack = packs_[block.pack];
    if (block.pack == kNowhere || to_next_[index] != kNowhere) return false;
    to_next_[index] = static_cast<std::uint32_t>(next_.blocks.size());
    next_.blocks.push_back(block);
    return true;
  }

  std::vector<std::uint32_t> to_next() && { return std::move(to_next_); }

 private:
  const Manifest& base_;
  Manifest& next_;
  const std::vector<std::uint32_t> packs_;  // of the base: their numbers in next
  std::vector<std::uint32_t> to_next_;
};

std::vector<std::uint32_t> read_block_runs(ByteReader& reader, const Manifest& base, Manifest& next) {
  BlockTaker taker(base, next);
  const std::size_t runs = reader.count(2);
  for (std::size_t run = 0; run < runs && reader.ok(); ++run) {
    const std::uint64_t header = reader.varint();
    const std::uint64_t blocks = header >> 1;
    if ((header & 1) == 0) {
      if (blocks > reader.remaining() / kLeastBlockBytes || !has_room(next, blocks * sizeof(Block))) reader.fail();
      for (std::uint64_t i = 0; i < blocks && reader.ok(); ++i) next.blocks.push_back(read_block(reader));
      continue;
    }
    const std::uint64_t first = reader.varint_up_to(base.blocks.size());
    if (blocks > base.blocks.size() - first || !has_room(next, blocks * sizeof(Block))) reader.fail();
    for (std::uint64_t i = 0; i < blocks && reader.ok(); ++i) {
      if (!taker.take(first + i)) reader.fail();
    }
  }
  return std::move(taker).to_next();
}

// The base's entry as it stands in next, or false if its content is not there. `extents` holds what it refers to.
bool carry_over(Entry& entry, const std::vector<std::uint32_t>& to_next, std::vector<Extent>& extents) {
  extents.assign(entry.extents.begin(), entry.extents.end());
  for (Extent& extent : extents) {
    if (extent.block == kHole) continue;
    extent.block = to_next[extent.block];
    if (extent.block == kNowhere) return false;
  }
  entry.extents = extents;
  return true;
}

// Steps over the base's entries, in order: a number of them that stay, that go, that get another time, or of new ones
// that come.
class StepWriter {
 public:
  void step(Step step) {
    if (step != step_) flush();
    step_ = step;
    ++count_;
  }

  void put(const Entry& entry) {
    step(step_put);
    entries_.write(entry);
  }

  void touch(std::int64_t mtime) {
    step(step_touch);
    times_.write(gathered_, mtime);
  }

  void finish(ByteWriter& into) {
    flush();
    into.varint(steps_);
    into.raw(out_.bytes());
  }

 private:
  void flush() {
    if (count_ == 0) return;
    out_.varint((count_ << kStepBits) | step_);
    out_.raw(gathered_.bytes());
    gathered_ = ByteWriter();
    count_ = 0;
    ++steps_;
  }

  ByteWriter out_;
  ByteWriter gathered_;  // the entries, or times, of this step
  EntryWriter entries_{gathered_};
  TimeRow times_;
  std::uint64_t count_ = 0;
  std::uint64_t steps_ = 0;
  Step step_ = step_keep;
};

void write_steps(ByteWriter& writer, const Manifest& next, const Manifest& base,
                 const std::vector<std::uint32_t>& to_next) {
  StepWriter steps;
  std::vector<Extent> extents;
  std::size_t old = 0;
  for (std::size_t i = 0; i < next.entries.size(); ++i) {
    const Entry entry = next.entries[i];
    for (; old < base.entries.size() && base.entries[old].path < entry.path; ++old) steps.step(step_drop);
    if (old == base.entries.size() || base.entries[old].path != entry.path) {
      steps.put(entry);
      continue;
    }
    Entry before = base.entries[old++];
    const bool there = carry_over(before, to_next, extents);
    const bool timely = before.mtime == entry.mtime;
    before.mtime = entry.mtime;
    if (there && before == entry && timely) {
      steps.step(step_keep);
    } else if (there && before == entry) {
      steps.touch(entry.mtime);
    } else {
      steps.step(step_drop);
      steps.put(entry);
    }
  }
  for (; old < base.entries.size(); ++old) steps.step(step_drop);
  steps.finish(writer);
}

void read_steps(ByteReader& reader, const Manifest& base, const std::vector<std::uint32_t>& to_next, Manifest& next) {
  EntryReader entry(reader);
  TimeRow times;
  std::vector<Extent> extents;
  std::size_t old = 0;
  // Most of them stay.
  if (has_room(next, Entries::least_memory(base.entries.size()))) next.entries.reserve(base.entries.size());
  const std::size_t steps = reader.count(1);
  for (std::size_t i = 0; i < steps && reader.ok(); ++i) {
    const std::uint64_t header = reader.varint();
    const std::uint64_t count = header >> kStepBits;
    const auto step = header & ((1U << kStepBits) - 1);
    if (step == step_put) {
      read_entries(reader, entry, count, next);
      continue;
    }
    if (count > base.entries.size() - old) return reader.fail();
    for (std::uint64_t kept = 0; step != step_drop && kept < count && reader.ok(); ++kept) {
      Entry before = base.entries[old + kept];
      if (!carry_over(before, to_next, extents)) return reader.fail();
      if (step == step_touch && before.kind == EntryKind::hard_link) return reader.fail();
      if (step == step_touch) before.mtime = times.read(reader);
      next.entries.add(before);
      if (!has_room(next)) return reader.fail();
    }
    old += count;
  }
  if (old != base.entries.size()) reader.fail();
}

}  // namespace

Result<std::vector<std::byte>> encode_delta(const Manifest& next, const Manifest& base,
                                            const util::Digest& base_digest) {
  if (!next.inline_bytes.empty() || !base.inline_bytes.empty()) {
    return fail(ErrorKind::invalid, "a manifest with inline content is neither a delta nor a base");
  }
  const BlockMap blocks = map_blocks(base, next);
  ByteWriter writer;
  writer.varint(next.root_mode);
  writer.zigzag(next.root_mtime);
  write_packs(writer, next.packs);
  write_block_runs(writer, next, blocks.to_base);
  write_steps(writer, next, base, blocks.to_next);
  return seal(writer.bytes(), base_digest, {}, Packing::small);
}

Result<Manifest> decode_delta(std::span<const std::byte> object, const Manifest& base,
                              const util::Digest& base_digest) {
  const Frame frame = TRY(unseal(object));
  if (frame.base != base_digest) return fail(ErrorKind::corrupt, "the manifest is no delta on this base");
  if (!frame.inline_bytes.empty() || !base.inline_bytes.empty()) {
    return fail(ErrorKind::corrupt, "a manifest with inline content is neither a delta nor a base");
  }
  const std::vector<std::byte> body = TRY(decompress(frame.body, frame.body_bytes));
  ByteReader reader(body);
  Manifest next;
  next.root_mode = static_cast<std::uint16_t>(reader.varint_up_to(kModeMask));
  next.root_mtime = reader.zigzag();
  next.packs = read_packs(reader);
  const std::vector<std::uint32_t> to_next = read_block_runs(reader, base, next);
  read_steps(reader, base, to_next, next);
  return checked(std::move(next), reader);
}

}  // namespace hearth::cache
