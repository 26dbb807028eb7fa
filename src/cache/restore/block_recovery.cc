#include "cache/restore/block_recovery.h"

#include <algorithm>
#include <span>

#include "cache/format/content_digest.h"

namespace hearth::cache {

namespace {

constexpr int kHighestLevel = 19;

std::span<std::byte> part(std::vector<std::byte>& raw, std::uint32_t begin, std::uint32_t length) {
  return std::span(raw).subspan(begin, length);
}

}  // namespace

void Stretches::add(std::uint32_t begin, std::uint32_t length) {
  std::uint32_t end = begin + length;
  auto next = ends_.upper_bound(begin);
  if (next != ends_.begin() && std::prev(next)->second >= begin) {
    --next;
    begin = next->first;
    end = std::max(end, next->second);
    next = ends_.erase(next);
  }
  while (next != ends_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ends_.erase(next);
  }
  ends_.emplace(begin, end);
}

bool Stretches::contains(std::uint32_t begin, std::uint32_t length) const {
  const auto next = ends_.upper_bound(begin);
  return next != ends_.begin() && std::prev(next)->second - begin >= length && std::prev(next)->second >= begin;
}

std::uint32_t Stretches::place_of(std::uint32_t byte) const {
  std::uint32_t before = 0;
  for (const auto& [begin, end] : ends_) {
    if (byte < end) return before + byte - begin;
    before += end - begin;
  }
  return before;
}

Result<Recovered> BlockRecovery::recover(const LostBlock& lost) {
  Recovered recovered;
  const std::uint32_t size = lost.block.raw_bytes;
  if (lost.good) {
    const ObjectName name{epoch_, ObjectKind::pack, lost.pack.save, lost.pack.number};
    const store::Object object =
        TRY(within(name.text(), store_.get(layout_.key(name), {lost.block.offset, lost.block.stored_bytes}, stop_)));
    recovered.raw = TRY(within(name.text(), decode_block(lost.block, object.bytes)));
    recovered.proved.add(0, size);
    return recovered;
  }
  recovered.raw.resize(size);
  for (const Holder& holder : lost.holders) {
    if (!holder.proved || recovered.proved.contains(holder.begin, holder.length)) continue;
    std::vector<std::byte> bytes(holder.length);
    if (!local_.read_as_listed(holder.path, holder.offset, bytes)) continue;
    std::ranges::copy(bytes, part(recovered.raw, holder.begin, holder.length).begin());
    recovered.proved.add(holder.begin, holder.length);
  }
  for (const Chunk& chunk : lost.chunks) {
    if (!recovered.proved.contains(chunk.offset, chunk.length)) take_chunk(lost, chunk, recovered);
  }
  if (lost.chunks.empty()) take_whole(lost, recovered);
  return recovered;
}

void BlockRecovery::take_chunk(const LostBlock& lost, const Chunk& chunk, Recovered& recovered) {
  std::vector<std::byte> bytes(chunk.length);
  const auto holds = [&](const Holder& holder) {
    const std::uint32_t end = holder.begin + holder.length;
    if (holder.begin > chunk.offset || end < chunk.offset + chunk.length) return false;
    return local_.read(holder.path, holder.file_bytes, holder.offset + chunk.offset - holder.begin, bytes) &&
           content_digest(bytes) == chunk.digest;
  };
  const auto wants = [&](const Holder& holder) {
    return holder.begin < chunk.offset + chunk.length && chunk.offset < holder.begin + holder.length;
  };
  if (std::ranges::none_of(lost.holders, wants)) return;
  if (!std::ranges::any_of(lost.holders, holds) && !local_.read(chunk.digest, bytes)) {
    wanted_.insert(chunk.digest);
    return;
  }
  std::ranges::copy(bytes, part(recovered.raw, chunk.offset, chunk.length).begin());
  recovered.proved.add(chunk.offset, chunk.length);
}

// Without a trailer only the digest of the block is known, and only if all of it is there can it be compared.
void BlockRecovery::take_whole(const LostBlock& lost, Recovered& recovered) {
  const std::uint32_t size = lost.block.raw_bytes;
  Stretches read = recovered.proved;
  std::vector<std::byte> raw = recovered.raw;
  for (const Holder& holder : lost.holders) {
    if (read.contains(holder.begin, holder.length)) continue;
    std::vector<std::byte> bytes(holder.length);
    if (!local_.read(holder.path, holder.file_bytes, holder.offset, bytes)) continue;
    std::ranges::copy(bytes, part(raw, holder.begin, holder.length).begin());
    read.add(holder.begin, holder.length);
  }
  if (recovered.proved.contains(0, size) || !read.contains(0, size) || !is_block(lost.block, raw)) return;
  recovered.raw = std::move(raw);
  recovered.proved.add(0, size);
}

bool BlockRecovery::is_block(const Block& block, const std::vector<std::byte>& raw) {
  if (block.encoding == Encoding::stored) return content_digest(raw) == block.digest;
  const auto is_it = [&](int level) {
    const Result<EncodedBlock> encoded = encode_block(raw, level);
    return encoded && encoded->block.encoding == block.encoding && encoded->block.digest == block.digest;
  };
  if (is_it(level_)) return true;
  if (searches_left_ == 0) return false;
  for (int level = 1; level <= kHighestLevel; ++level) {
    if (level == level_ || !is_it(level)) continue;
    level_ = level;
    return true;
  }
  --searches_left_;
  return false;
}

}  // namespace hearth::cache
