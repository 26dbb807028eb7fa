// A copy of an object as a file of this machine that may be cut, damaged or stale at any time, and tells.
//
// The content, then a trailer: a CRC-32 (RFC 1952) of each 64 KiB of the content, 4 bytes little-endian each; the key
// and the version; a footer of fixed size with the object's size and times, the lengths of the two texts, and the
// CRC-32 of the whole trailer. What is not exactly that is no copy.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "store/object_store.h"
#include "util/file.h"

namespace hearth::store {

// What is to be written behind the content.
std::vector<std::byte> tier_trailer(const ObjectInfo& info, std::span<const std::byte> content);

// The trailer of an open file, and access to its content.
class TierFile {
 public:
  // Absent if the file is no whole copy of an object with this key.
  static std::optional<TierFile> open(util::Fd fd, const Key& key);

  const ObjectInfo& info() const { return info_; }

  // The bytes of the range, cut as clip() does; each 64 KiB of the content that the range touches is checked against
  // its CRC-32. Damaged, unreadable, or a range that starts past the end: absent.
  std::optional<std::vector<std::byte>> read(ByteRange range) const;

  int fd() const { return fd_.get(); }

 private:
  TierFile(util::Fd fd, ObjectInfo info, std::vector<std::uint32_t> sums)
      : fd_(std::move(fd)), info_(std::move(info)), sums_(std::move(sums)) {}

  util::Fd fd_;
  ObjectInfo info_;
  std::vector<std::uint32_t> sums_;
};

}  // namespace hearth::store
