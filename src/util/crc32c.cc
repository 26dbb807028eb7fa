#include "util/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace hearth::util {

void Crc32c::update(std::span<const std::byte> bytes) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 30;  // ISA-L counts in int
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kAtOnce));
    // ISA-L reads only, although its parameter is not const.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(piece.data()));
    state_ = crc32_iscsi(data, static_cast<int>(piece.size()), state_);
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace hearth::util
