#include "cache/operator/content_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/packs/pack_part.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

// Blocks that are on their way or wait to be used: enough for a store that is far away.
constexpr std::ptrdiff_t kAhead = 4;
// With these, those of the last that were used: neighbouring files may lie in blocks of different saves.
constexpr std::size_t kMostHeld = 12;

}  // namespace

ContentReader::ContentReader(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& opened,
                             const std::vector<std::uint32_t>& files, const std::stop_token& stop)
    : store_(store), layout_(layout), opened_(opened), pass_on_(stop, [this] { ended_.request_stop(); }) {
  for (const std::uint32_t index : files) plan(opened.manifest.entries[index]);
}

ContentReader::~ContentReader() {
  ended_.request_stop();
}

void ContentReader::plan(const Entry& file) {
  for (const Extent& extent : file.extents) {
    if (extent.block != kHole && (order_.empty() || order_.back() != extent.block)) order_.push_back(extent.block);
  }
}

void ContentReader::open(std::uint32_t index) {
  const Manifest& manifest = opened_.manifest;
  extents_ = resolved(manifest, manifest.entries[index]).extents;
  offset_ = 0;
}

Result<std::size_t> ContentReader::read(std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size() && !extents_.empty()) {
    if (ended_.stop_requested()) return fail(ErrorKind::cancelled, "reading the cache was stopped");
    const Extent& extent = extents_.front();
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(into.size() - done, extent.length - offset_));
    if (extent.block == kHole) {
      std::memset(into.data() + done, 0, count);
    } else {
      const std::shared_ptr<const Bytes> bytes = TRY(block(extent.block));
      std::memcpy(into.data() + done, bytes->data() + extent.offset + offset_, count);
    }
    done += count;
    offset_ += count;
    if (offset_ == extent.length) {
      extents_ = extents_.subspan(1);
      offset_ = 0;
    }
  }
  return done;
}

Result<std::shared_ptr<const ContentReader::Bytes>> ContentReader::block(std::uint32_t index) {
  Held& wanted = held(index);
  wanted.used = true;
  const Fetched bytes = wanted.bytes;
  fetch_ahead();
  return bytes.get();
}

// What was asked for already, or is from now on; in front of all others.
ContentReader::Held& ContentReader::held(std::uint32_t index) {
  const auto found = std::ranges::find(held_, index, &Held::block);
  if (found != held_.end()) {
    held_.splice(held_.begin(), held_, found);
    return held_.front();
  }
  held_.push_front({index, in_background([this, index] { return fetch(index); }).share(), false});
  if (held_.size() > kMostHeld) held_.pop_back();
  return held_.front();
}

void ContentReader::fetch_ahead() {
  while (ahead_ < order_.size() && std::ranges::count_if(held_, [](const Held& held) { return !held.used; }) < kAhead) {
    held(order_[ahead_++]);
  }
}

Result<std::shared_ptr<const ContentReader::Bytes>> ContentReader::fetch(std::uint32_t index) const {
  const Manifest& manifest = opened_.manifest;
  const Block& block = manifest.blocks[index];
  if (block.pack == kInline) {
    const auto stored = std::span(manifest.inline_bytes).subspan(block.offset, block.stored_bytes);
    Bytes raw = TRY(within(opened_.manifest_name().text(), decode_block(block, stored)));
    return std::make_shared<const Bytes>(std::move(raw));
  }
  const PackName& pack = manifest.packs[block.pack];
  const ObjectName name{opened_.epoch, ObjectKind::pack, pack.save, pack.number};
  const store::Key key = layout_.key(name);
  constexpr int kAttempts = 2;
  Result<Bytes> raw = fail(ErrorKind::corrupt, "nothing was fetched");
  for (int attempt = 0; attempt < kAttempts && !raw; ++attempt) {
    const Result<store::Object> object =
        fetch_part(store_, key, pack.bytes, {block.offset, block.stored_bytes}, ended_.get_token());
    if (!object) {
      // A pack that is gone or too short is damage of the generation.
      if (!is_damage(object.error().kind)) return std::unexpected(object.error());
      raw = fail(ErrorKind::corrupt, "{}", object.error().message);
      continue;
    }
    raw = decode_block(block, object->bytes);
  }
  raw = within(name.text(), std::move(raw));
  if (!raw) return std::unexpected(std::move(raw).error());
  return std::make_shared<const Bytes>(std::move(*raw));
}

}  // namespace hearth::cache
