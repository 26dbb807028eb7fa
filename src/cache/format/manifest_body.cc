#include "cache/format/manifest_body.h"

#include <algorithm>

namespace hearth::cache {

namespace {

// Where an extent lies.
enum Place : std::uint8_t {
  place_hole = 0,
  place_next = 1,       // where the extent of content before it ends, in the same block
  place_new_block = 2,  // at the begin of the block after that one
  place_elsewhere = 3,  // as said by block and offset
};

constexpr std::size_t kLeastPackBytes = 3;
// Far more than a HEAD can name, and not all that a manifest has room for.
constexpr std::size_t kMostPacks = kManifestLimit / 128;

bool is_next(const Extent& last, const Extent& extent) {
  return extent.block == last.block && extent.offset == last.offset + last.length;
}

bool has_mode(EntryKind kind) {
  return kind == EntryKind::directory || kind == EntryKind::file;
}
bool has_target(EntryKind kind) {
  return kind == EntryKind::symlink || kind == EntryKind::hard_link;
}

}  // namespace

void write_packs(ByteWriter& writer, const std::vector<PackName>& packs) {
  writer.varint(packs.size());
  for (const PackName& pack : packs) {
    writer.text(pack.save);
    writer.varint(pack.number);
    writer.varint(pack.bytes);
  }
}

std::vector<PackName> read_packs(ByteReader& reader) {
  const std::size_t count = reader.count(kLeastPackBytes);
  if (count > kMostPacks) reader.fail();
  std::vector<PackName> packs;
  if (reader.ok()) packs.reserve(count);
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    PackName pack;
    pack.save = std::string(reader.text(16));
    pack.number = static_cast<std::uint32_t>(reader.varint_up_to(UINT32_MAX));
    pack.bytes = reader.varint();
    packs.push_back(std::move(pack));
  }
  return packs;
}

void write_block(ByteWriter& writer, const Block& block) {
  writer.varint(block.pack == kInline ? 0 : std::uint64_t{block.pack} + 1);
  writer.varint(block.offset);
  writer.varint(block.stored_bytes);
  writer.varint(block.raw_bytes);
  writer.u8(static_cast<std::uint8_t>(block.encoding));
  writer.raw(block.digest.bytes);
}

Block read_block(ByteReader& reader) {
  Block block;
  block.pack = static_cast<std::uint32_t>(reader.varint_up_to(UINT32_MAX) + UINT32_MAX);  // 0 is kInline
  block.offset = reader.varint();
  block.stored_bytes = static_cast<std::uint32_t>(reader.varint_up_to(kBlockLimit));
  block.raw_bytes = static_cast<std::uint32_t>(reader.varint_up_to(kBlockLimit));
  block.encoding = static_cast<Encoding>(reader.u8());
  std::ranges::copy(reader.raw(block.digest.bytes.size()), block.digest.bytes.begin());
  return block;
}

void EntryWriter::write(const Entry& entry) {
  const std::string path = entry.path.text();
  const auto parted = std::ranges::mismatch(path_, path);
  const auto shared = static_cast<std::size_t>(parted.in1 - path_.begin());
  writer_.varint(shared);
  writer_.text(std::string_view(path).substr(shared));
  path_ = path;
  writer_.u8(static_cast<std::uint8_t>(entry.kind));
  if (entry.kind != EntryKind::hard_link) {
    mtime_.write(writer_, entry.mtime);
  }
  if (has_mode(entry.kind)) writer_.varint(entry.mode);
  if (has_target(entry.kind)) writer_.text(entry.target);
  if (entry.kind == EntryKind::file) write_extents(entry);
}

void EntryWriter::write_extents(const Entry& entry) {
  writer_.varint(entry.size);
  writer_.varint(entry.extents.size());
  for (const Extent& extent : entry.extents) {
    if (extent.block == kHole) {
      writer_.u8(place_hole);
    } else if (is_next(last_, extent)) {
      writer_.u8(place_next);
    } else if (extent.block == last_.block + 1 && extent.offset == 0) {
      writer_.u8(place_new_block);
    } else {
      writer_.u8(place_elsewhere);
      writer_.varint(extent.block);
      writer_.varint(extent.offset);
    }
    if (extent.block != kHole) last_ = extent;
    // The last one takes what is left of the size.
    if (&extent != &entry.extents.back()) writer_.varint(extent.length);
  }
}

void EntryReader::read_into(Manifest& manifest) {
  Entry entry;
  const std::size_t shared = reader_.varint_up_to(path_.size());
  path_.resize(shared);
  path_ += reader_.text(kPathLimit - std::min(shared, kPathLimit));
  entry.path = path_;
  entry.kind = static_cast<EntryKind>(reader_.u8());
  if (entry.kind > EntryKind::hard_link) reader_.fail();
  if (entry.kind != EntryKind::hard_link) entry.mtime = mtime_.read(reader_);
  if (has_mode(entry.kind)) entry.mode = static_cast<std::uint16_t>(reader_.varint_up_to(kModeMask));
  if (has_target(entry.kind)) entry.target = reader_.text(kPathLimit);
  extents_.clear();
  if (entry.kind == EntryKind::file) {
    entry.size = reader_.varint();
    read_extents(entry.size, manifest);
  }
  entry.extents = extents_;
  if (reader_.ok()) manifest.entries.add(entry);
}

void EntryReader::read_extents(std::uint64_t size, const Manifest& manifest) {
  const std::size_t count = reader_.count(1);
  if (!has_room(manifest, count * sizeof(Extent))) reader_.fail();
  if (reader_.ok()) extents_.reserve(count);
  for (std::size_t i = 0; i < count && reader_.ok(); ++i) {
    Extent extent;
    switch (reader_.u8()) {
      case place_hole:
        extent.block = kHole;
        break;
      case place_next:
        extent.block = last_.block;
        extent.offset = static_cast<std::uint32_t>(last_.offset + last_.length);
        break;
      case place_new_block:
        extent.block = last_.block + 1;
        break;
      case place_elsewhere:
        extent.block = static_cast<std::uint32_t>(reader_.varint_up_to(UINT32_MAX - 1));
        extent.offset = static_cast<std::uint32_t>(reader_.varint_up_to(kBlockLimit));
        break;
      default:
        reader_.fail();
    }
    extent.length = i + 1 < count ? reader_.varint_up_to(size) : size;
    size -= extent.length;
    if (extent.block != kHole) last_ = extent;
    extents_.push_back(extent);
  }
}

}  // namespace hearth::cache
