// CRC-32C (Castagnoli; RFC 3720 appendix B.4), by which stores tell damage on the way; by ISA-L, which uses the
// processor's own instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hearth::util {

// Of a whole content, piece by piece.
class Crc32c {
 public:
  void update(std::span<const std::byte> bytes);
  // Of everything so far.
  std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xffffffff;
};

}  // namespace hearth::util
