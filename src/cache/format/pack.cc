#include "cache/format/pack.h"

#include <algorithm>
#include <array>

#include "cache/format/bytes.h"
#include "cache/format/content_digest.h"

namespace hearth::cache {

namespace {

// The last byte is the format's version.
constexpr std::string_view kPackMagic{"HearthP\x01", 8};
constexpr std::string_view kFooterMagic{"HearthF\x01", 8};
constexpr std::size_t kDigestBytes = 32;
// In a trailer: at least three varints, an encoding and a digest; at least two varints and a digest.
constexpr std::size_t kLeastBlock = 4 + kDigestBytes;
constexpr std::size_t kLeastChunk = 2 + kDigestBytes;
// More than any block or chunk takes in a trailer.
constexpr std::size_t kMostBlock = 64;
constexpr std::size_t kMostChunk = 48;

std::vector<std::byte> encode_trailer(const std::vector<PackedBlock>& blocks) {
  ByteWriter trailer;
  trailer.varint(blocks.size());
  for (const auto& [block, chunks] : blocks) {
    trailer.varint(block.stored_bytes);
    trailer.varint(block.raw_bytes);
    trailer.u8(static_cast<std::uint8_t>(block.encoding));
    trailer.raw(block.digest.bytes);
    trailer.varint(chunks.size());
    for (const Chunk& chunk : chunks) {
      trailer.varint(chunk.offset);
      trailer.varint(chunk.length);
      trailer.raw(chunk.digest.bytes);
    }
  }
  return trailer.take();
}

util::Digest read_digest(ByteReader& reader) {
  util::Digest digest;
  std::ranges::copy(reader.raw(kDigestBytes), digest.bytes.begin());
  return digest;
}

PackedBlock read_packed_block(ByteReader& reader) {
  PackedBlock packed;
  Block& block = packed.block;
  block.stored_bytes = static_cast<std::uint32_t>(reader.varint_up_to(kBlockLimit));
  block.raw_bytes = static_cast<std::uint32_t>(reader.varint_up_to(kBlockLimit));
  block.encoding = static_cast<Encoding>(reader.u8());
  block.digest = read_digest(reader);
  const bool sizes =
      block.encoding == Encoding::stored ? block.stored_bytes == block.raw_bytes : block.stored_bytes < block.raw_bytes;
  if (block.encoding > Encoding::zstd || block.stored_bytes == 0 || !sizes) reader.fail();
  const std::size_t chunks = reader.count(kLeastChunk);
  packed.chunks.reserve(chunks);
  for (std::size_t i = 0; i < chunks && reader.ok(); ++i) {
    Chunk chunk;
    chunk.offset = static_cast<std::uint32_t>(reader.varint_up_to(block.raw_bytes));
    chunk.length = static_cast<std::uint32_t>(reader.varint_up_to(block.raw_bytes - chunk.offset));
    chunk.digest = read_digest(reader);
    if (chunk.length == 0) reader.fail();
    packed.chunks.push_back(chunk);
  }
  return packed;
}

struct Footer {
  std::uint64_t trailer_bytes = 0;
  util::Digest digest;  // of the trailer and its length
};

Result<Footer> read_footer(std::span<const std::byte> bytes, std::uint64_t pack_bytes) {
  if (pack_bytes > kPackLimit) return fail(ErrorKind::corrupt, "a pack of {} bytes", pack_bytes);
  ByteReader reader(bytes);
  Footer footer;
  footer.trailer_bytes = reader.u32();
  reader.u32();  // reserved, checked by the digest
  footer.digest = read_digest(reader);
  if (as_text(reader.raw(kFooterMagic.size())) != kFooterMagic || !reader.done()) {
    return fail(ErrorKind::corrupt, "the pack does not end as a pack does");
  }
  if (kPackMagic.size() + footer.trailer_bytes + kPackFooterBytes > pack_bytes) {
    return fail(ErrorKind::corrupt, "the pack's trailer is larger than the pack");
  }
  return footer;
}

util::Digest trailer_digest(std::span<const std::byte> trailer, std::span<const std::byte> sizes) {
  util::Sha256 hash;
  hash.update(trailer);
  hash.update(sizes);
  return hash.finish();
}

}  // namespace

PackBuilder::PackBuilder() = default;

std::uint64_t PackBuilder::add(const EncodedView& block, std::vector<Chunk> chunks) {
  if (bytes_.empty()) {
    bytes_.reserve(kPackTarget);
    bytes_.assign(as_bytes(kPackMagic).begin(), as_bytes(kPackMagic).end());
  }
  const std::uint64_t offset = bytes_.size();
  bytes_.insert(bytes_.end(), block.stored.begin(), block.stored.end());
  chunks_ += chunks.size();
  blocks_.push_back({block.block, std::move(chunks)});
  return offset;
}

std::uint64_t PackBuilder::bytes_with(std::uint32_t stored_bytes, std::size_t chunks) const {
  return kPackMagic.size() + bytes_.size() + stored_bytes + (blocks_.size() + 1) * kMostBlock +
         (chunks_ + chunks) * kMostChunk + kPackFooterBytes;
}

std::vector<std::byte> PackBuilder::finish() {
  const std::vector<std::byte> trailer = encode_trailer(blocks_);
  ByteWriter footer;
  footer.u32(static_cast<std::uint32_t>(trailer.size()));
  footer.u32(0);
  footer.raw(trailer_digest(trailer, footer.bytes()).bytes);
  footer.raw(as_bytes(kFooterMagic));
  std::vector<std::byte> pack = std::exchange(bytes_, {});
  if (pack.empty()) pack.assign(as_bytes(kPackMagic).begin(), as_bytes(kPackMagic).end());
  pack.insert(pack.end(), trailer.begin(), trailer.end());
  pack.insert(pack.end(), footer.bytes().begin(), footer.bytes().end());
  blocks_.clear();
  chunks_ = 0;
  return pack;
}

Result<std::uint64_t> tail_bytes(std::span<const std::byte> footer, std::uint64_t pack_bytes) {
  const Footer read = TRY(read_footer(footer, pack_bytes));
  return read.trailer_bytes + kPackFooterBytes;
}

Result<std::vector<PackedBlock>> decode_tail(std::span<const std::byte> tail, std::uint64_t pack_bytes) {
  if (tail.size() < kPackFooterBytes) return fail(ErrorKind::corrupt, "the pack is cut short");
  const auto footer_bytes = tail.last(kPackFooterBytes);
  const Footer footer = TRY(read_footer(footer_bytes, pack_bytes));
  const auto trailer = tail.first(tail.size() - kPackFooterBytes);
  if (trailer.size() != footer.trailer_bytes || trailer_digest(trailer, footer_bytes.first(8)) != footer.digest) {
    return fail(ErrorKind::corrupt, "the pack's trailer does not have its SHA-256");
  }
  ByteReader reader(trailer);
  std::vector<PackedBlock> blocks;
  const std::size_t count = reader.count(kLeastBlock);
  blocks.reserve(count);
  std::uint64_t offset = kPackMagic.size();
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    PackedBlock packed = read_packed_block(reader);
    packed.block.offset = offset;
    offset += packed.block.stored_bytes;
    blocks.push_back(std::move(packed));
  }
  if (!reader.done() || offset + tail.size() != pack_bytes) {
    return fail(ErrorKind::corrupt, "the pack's trailer contradicts itself");
  }
  return blocks;
}

Result<std::vector<PackedBlock>> verify_pack(std::span<const std::byte> pack) {
  if (pack.size() < kPackMagic.size() + kPackFooterBytes || as_text(pack.first(kPackMagic.size())) != kPackMagic) {
    return fail(ErrorKind::corrupt, "it does not begin as a pack does");
  }
  const std::uint64_t tail = TRY(tail_bytes(pack.last(kPackFooterBytes), pack.size()));
  std::vector<PackedBlock> blocks = TRY(decode_tail(pack.last(tail), pack.size()));
  for (const auto& [block, chunks] : blocks) {
    const std::vector<std::byte> raw = TRY(decode_block(block, pack.subspan(block.offset, block.stored_bytes)));
    std::vector<std::span<const std::byte>> contents;
    for (const Chunk& chunk : chunks) contents.push_back(std::span(raw).subspan(chunk.offset, chunk.length));
    if (!std::ranges::equal(content_digests(contents), chunks, {}, {}, &Chunk::digest)) {
      return fail(ErrorKind::corrupt, "a chunk does not have its digest");
    }
  }
  return blocks;
}

}  // namespace hearth::cache
