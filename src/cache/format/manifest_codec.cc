#include <algorithm>

#include "cache/format/compression.h"
#include "cache/format/manifest_frame.h"

namespace hearth::cache {

namespace {

constexpr std::string_view kManifestMagic{"HearthM", 7};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSealBytes = 32;
constexpr int kSmallLevel = 6;
constexpr int kFastLevel = 1;

enum Form : std::uint8_t { form_full = 0, form_delta = 1 };

}  // namespace

Result<std::vector<std::byte>> seal(std::span<const std::byte> body, const std::optional<util::Digest>& base,
                                    std::span<const std::byte> inline_bytes, Packing packing) {
  if (body.size() > kManifestLimit) return fail(ErrorKind::invalid, "the manifest is larger than one may be");
  const std::vector<std::byte> packed = TRY(compress(body, packing == Packing::small ? kSmallLevel : kFastLevel));
  ByteWriter writer;
  writer.raw(as_bytes(kManifestMagic));
  writer.u8(kVersion);
  writer.u8(base ? form_delta : form_full);
  if (base) writer.raw(base->bytes);
  writer.u32(static_cast<std::uint32_t>(body.size()));
  writer.u32(static_cast<std::uint32_t>(packed.size()));
  writer.raw(packed);
  writer.raw(inline_bytes);
  writer.raw(util::sha256(writer.bytes()).bytes);
  return writer.take();
}

Result<Frame> unseal(std::span<const std::byte> object) {
  ByteReader reader(object);
  if (as_text(reader.raw(kManifestMagic.size())) != kManifestMagic)
    return fail(ErrorKind::corrupt, "it is no manifest");
  const std::uint8_t version = reader.u8();
  if (object.size() < kManifestMagic.size() + 1 + kSealBytes ||
      !std::ranges::equal(util::sha256(object.first(object.size() - kSealBytes)).bytes, object.last(kSealBytes))) {
    return fail(ErrorKind::corrupt, "the manifest does not have its SHA-256");
  }
  if (version != kVersion) return fail(ErrorKind::invalid, "the manifest's format {} is unknown here", version);
  Frame frame;
  const std::uint8_t form = reader.u8();
  if (form == form_delta) {
    std::ranges::copy(reader.raw(kSealBytes), frame.base.emplace().bytes.begin());
  }
  frame.body_bytes = reader.u32();
  frame.body = reader.raw(reader.u32());
  if (!reader.ok() || form > form_delta || frame.body_bytes > kManifestLimit || reader.remaining() < kSealBytes) {
    return fail(ErrorKind::corrupt, "the manifest's frame is impossible");
  }
  frame.inline_bytes = reader.raw(reader.remaining() - kSealBytes);
  return frame;
}

Result<Manifest> checked(Manifest manifest, const ByteReader& reader) {
  if (!reader.done()) return fail(ErrorKind::corrupt, "the manifest's inside is damaged");
  TRY(check(manifest));
  return manifest;
}

void read_entries(ByteReader& reader, EntryReader& entry, std::uint64_t count, Manifest& manifest) {
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    entry.read_into(manifest);
    if (!has_room(manifest)) reader.fail();
  }
}

Result<std::vector<std::byte>> encode_manifest(const Manifest& manifest, Packing packing) {
  ByteWriter writer;
  writer.varint(manifest.root_mode);
  writer.zigzag(manifest.root_mtime);
  write_packs(writer, manifest.packs);
  writer.varint(manifest.blocks.size());
  for (const Block& block : manifest.blocks) write_block(writer, block);
  writer.varint(manifest.entries.size());
  EntryWriter entries(writer);
  for (std::size_t i = 0; i < manifest.entries.size(); ++i) entries.write(manifest.entries[i]);
  return seal(writer.bytes(), std::nullopt, manifest.inline_bytes, packing);
}

Result<Manifest> decode_manifest(std::span<const std::byte> object) {
  const Frame frame = TRY(unseal(object));
  if (frame.base) return fail(ErrorKind::corrupt, "the manifest is a delta, and its base is not known");
  const std::vector<std::byte> body = TRY(decompress(frame.body, frame.body_bytes));
  ByteReader reader(body);
  Manifest manifest;
  manifest.root_mode = static_cast<std::uint16_t>(reader.varint_up_to(kModeMask));
  manifest.root_mtime = reader.zigzag();
  manifest.packs = read_packs(reader);
  const std::size_t blocks = reader.count(kLeastBlockBytes);
  if (!has_room(manifest, blocks * sizeof(Block))) reader.fail();
  if (reader.ok()) manifest.blocks.reserve(blocks);
  for (std::size_t i = 0; i < blocks && reader.ok(); ++i) manifest.blocks.push_back(read_block(reader));
  const std::size_t entries = reader.count(kLeastEntryBytes);
  if (!has_room(manifest, Entries::least_memory(entries))) reader.fail();
  if (reader.ok()) manifest.entries.reserve(entries);
  EntryReader entry(reader);
  read_entries(reader, entry, entries, manifest);
  manifest.inline_bytes.assign(frame.inline_bytes.begin(), frame.inline_bytes.end());
  return checked(std::move(manifest), reader);
}

}  // namespace hearth::cache
