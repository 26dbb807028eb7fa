// What is put to see whether a server looks at checksums.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace hearth::store {

// The content that is sent, and the one whose checksum goes with it: one bit was damaged.
inline constexpr std::string_view kDamagedContent = "hearth-checj";
inline constexpr std::string_view kIntactContent = "hearth-check";

inline std::span<const std::byte> damaged_bytes() {
  return std::as_bytes(std::span(kDamagedContent));
}
inline std::span<const std::byte> intact_bytes() {
  return std::as_bytes(std::span(kIntactContent));
}

}  // namespace hearth::store
