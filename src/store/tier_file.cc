#include "store/tier_file.h"

#include <libdeflate.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace hearth::store {

namespace {

constexpr std::uint64_t kPiece = 64 << 10;
// Keys have up to 1,024 bytes; versions are short.
constexpr std::uint32_t kLongestText = 64 << 10;

// As it lies in the file, on little-endian machines: a copy never leaves the machine that made it.
struct Footer {
  std::array<char, 8> magic{'h', 'e', 'a', 't', 'i', 'e', 'r', '1'};
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::int64_t now = 0;
  std::uint32_t key_length = 0;
  std::uint32_t version_length = 0;
  std::uint32_t sum = 0;  // of the trailer, this member being 0
  std::uint32_t unused = 0;
};
static_assert(sizeof(Footer) == 48 && std::has_unique_object_representations_v<Footer>);

std::uint32_t crc(std::span<const std::byte> bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::uint64_t pieces_of(std::uint64_t size) {
  return (size + kPiece - 1) / kPiece;
}

template <class Value>
void append(std::vector<std::byte>& bytes, const Value& value) {
  const auto raw = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

void append(std::vector<std::byte>& bytes, const std::string& text) {
  const auto raw = std::as_bytes(std::span(text));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

std::string text_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t length) {
  std::string text(length, '\0');
  std::memcpy(text.data(), bytes.subspan(offset, length).data(), length);
  return text;
}

// All bytes of a stretch of the file; absent if it has fewer.
std::optional<std::vector<std::byte>> read_stretch(int fd, std::uint64_t offset, std::uint64_t length) {
  std::vector<std::byte> bytes(length);
  const Result<std::size_t> count = util::read_at(fd, bytes, offset);
  if (!count || *count != length) return std::nullopt;
  return bytes;
}

std::optional<Footer> read_footer(int fd, std::uint64_t file_size) {
  if (file_size < sizeof(Footer)) return std::nullopt;
  const auto bytes = read_stretch(fd, file_size - sizeof(Footer), sizeof(Footer));
  if (!bytes) return std::nullopt;
  Footer footer;
  std::memcpy(&footer, bytes->data(), sizeof footer);
  const bool plausible = footer.magic == Footer().magic && footer.size < file_size &&
                         footer.key_length <= kLongestText && footer.version_length <= kLongestText;
  return plausible ? std::optional(footer) : std::nullopt;
}

}  // namespace

std::vector<std::byte> tier_trailer(const ObjectInfo& info, std::span<const std::byte> content) {
  static_assert(std::endian::native == std::endian::little);
  std::vector<std::byte> trailer;
  for (std::size_t at = 0; at < content.size(); at += kPiece) {
    append(trailer, crc(content.subspan(at, std::min<std::size_t>(kPiece, content.size() - at))));
  }
  append(trailer, info.key.text());
  append(trailer, info.version.text);
  Footer footer;
  footer.size = content.size();
  footer.modified = info.modified.time_since_epoch().count();
  footer.now = info.now.time_since_epoch().count();
  footer.key_length = static_cast<std::uint32_t>(info.key.text().size());
  footer.version_length = static_cast<std::uint32_t>(info.version.text.size());
  const std::size_t at = trailer.size();
  append(trailer, footer);
  footer.sum = crc(trailer);
  std::memcpy(trailer.data() + at, &footer, sizeof footer);
  return trailer;
}

std::optional<TierFile> TierFile::open(util::Fd fd, const Key& key) {
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const auto file_size = static_cast<std::uint64_t>(status.st_size);
  const std::optional<Footer> footer = read_footer(fd.get(), file_size);
  if (!footer) return std::nullopt;
  const std::uint64_t sums_size = 4 * pieces_of(footer->size);
  const std::uint64_t trailer_size = sums_size + footer->key_length + footer->version_length + sizeof(Footer);
  if (footer->size + trailer_size != file_size) return std::nullopt;
  auto trailer = read_stretch(fd.get(), footer->size, trailer_size);
  if (!trailer) return std::nullopt;
  Footer unsummed = *footer;
  unsummed.sum = 0;
  std::memcpy(trailer->data() + trailer_size - sizeof(Footer), &unsummed, sizeof unsummed);
  if (crc(*trailer) != footer->sum || text_at(*trailer, sums_size, footer->key_length) != key.text()) {
    return std::nullopt;
  }
  std::vector<std::uint32_t> sums(pieces_of(footer->size));
  if (!sums.empty()) std::memcpy(sums.data(), trailer->data(), sums_size);
  ObjectInfo info{.key = key,
                  .size = footer->size,
                  .version = {text_at(*trailer, sums_size + footer->key_length, footer->version_length)},
                  .modified = StoreTime(std::chrono::seconds(footer->modified)),
                  .now = StoreTime(std::chrono::seconds(footer->now))};
  return TierFile(std::move(fd), std::move(info), std::move(sums));
}

std::optional<std::vector<std::byte>> TierFile::read(ByteRange range) const {
  const Result<ByteRange> clipped = clip(range, info_.size);
  if (!clipped) return std::nullopt;
  if (clipped->length == 0) return std::vector<std::byte>();
  // Whole pieces, so that each can be checked.
  const std::uint64_t begin = clipped->offset / kPiece * kPiece;
  const std::uint64_t end = std::min(info_.size, pieces_of(clipped->offset + clipped->length) * kPiece);
  auto bytes = read_stretch(fd_.get(), begin, end - begin);
  if (!bytes) return std::nullopt;
  for (std::uint64_t at = begin; at < end; at += kPiece) {
    const auto piece = std::span(*bytes).subspan(at - begin, std::min(kPiece, end - at));
    if (crc(piece) != sums_[at / kPiece]) return std::nullopt;
  }
  bytes->resize(clipped->offset + clipped->length - begin);
  bytes->erase(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(clipped->offset - begin));
  return bytes;
}

}  // namespace hearth::store
