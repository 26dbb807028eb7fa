#include "cache/format/content_digest.h"

#include <string_view>

#include "cache/format/bytes.h"

namespace hearth::cache {

namespace {

constexpr std::string_view kTreeMagic{"HearthT\x01", 8};

std::size_t pieces_of(std::size_t length) {
  return length <= kDigestPiece ? 1 : (length + kDigestPiece - 1) / kDigestPiece;
}

std::vector<std::byte> join(std::size_t length, std::span<const util::Digest> pieces) {
  ByteWriter writer;
  writer.raw(as_bytes(kTreeMagic));
  writer.u32(static_cast<std::uint32_t>(length));
  for (const util::Digest& digest : pieces) writer.raw(digest.bytes);
  return writer.take();
}

}  // namespace

util::Digest content_digest(std::span<const std::byte> content) {
  if (content.size() <= kDigestPiece) return util::sha256(content);
  return content_digests(std::span(&content, 1)).front();
}

std::vector<util::Digest> content_digests(std::span<const std::span<const std::byte>> contents) {
  std::vector<std::span<const std::byte>> pieces;
  pieces.reserve(contents.size());
  for (std::span<const std::byte> rest : contents) {
    for (; rest.size() > kDigestPiece; rest = rest.subspan(kDigestPiece)) pieces.push_back(rest.first(kDigestPiece));
    pieces.push_back(rest);
  }
  std::vector<util::Digest> digests = util::sha256_each(pieces);
  if (digests.size() == contents.size()) return digests;

  std::vector<std::vector<std::byte>> joined;
  std::vector<std::span<const std::byte>> whole;
  std::span<const util::Digest> rest(digests);
  std::vector<util::Digest> result(contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const std::size_t count = pieces_of(contents[i].size());
    if (count == 1) {
      result[i] = rest.front();
    } else {
      joined.push_back(join(contents[i].size(), rest.first(count)));
    }
    rest = rest.subspan(count);
  }
  for (const std::vector<std::byte>& bytes : joined) whole.emplace_back(bytes);
  const std::vector<util::Digest> long_ones = util::sha256_each(whole);
  auto next = long_ones.begin();
  for (std::size_t i = 0; i < contents.size(); ++i) {
    if (contents[i].size() > kDigestPiece) result[i] = *next++;
  }
  return result;
}

}  // namespace hearth::cache
