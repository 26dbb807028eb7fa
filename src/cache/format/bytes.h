// The primitives of the binary formats: little-endian numbers, varints, and byte strings behind their length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace hearth::cache {

std::span<const std::byte> as_bytes(std::string_view text);
std::string_view as_text(std::span<const std::byte> bytes);

class ByteWriter {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
  void u32(std::uint32_t value);
  // 7 bits a byte, lowest first, the top bit set in all but the last.
  void varint(std::uint64_t value);
  // A signed number as a varint: 0, -1, 1, -2, … are 0, 1, 2, 3, …
  void zigzag(std::int64_t value);
  void raw(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  // varint length, bytes
  void text(std::string_view text);

  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Reads what a ByteWriter wrote, or anything else. The first read beyond the end or of an impossible value fails the
// reader for good: everything later is 0 or empty, so a caller may check ok() once for several reads, but must check it
// in each round of a loop, and before it trusts a value.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint32_t u32();
  std::uint64_t varint();
  // A varint that is `limit` at most.
  std::uint64_t varint_up_to(std::uint64_t limit);
  std::int64_t zigzag();
  std::span<const std::byte> raw(std::size_t size);
  std::string_view text(std::size_t limit);
  // How many things follow, of which each takes `bytes_each` bytes at least: more than can be there fails.
  std::size_t count(std::size_t bytes_each);

  void fail();
  bool ok() const { return ok_; }
  // True if everything was read and nothing failed.
  bool done() const { return ok_ && rest_.empty(); }
  std::size_t remaining() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace hearth::cache
