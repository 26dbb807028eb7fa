// Damages that every decoder must notice: each length and each byte.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

#include "util/error.h"

namespace hearth::cache {

// `decode` takes bytes and returns a Result; nothing but the whole object is good.
template <class Decode>
void expect_truncations_refused(std::span<const std::byte> object, const Decode& decode) {
  ASSERT_TRUE(decode(object));
  for (std::size_t size = 0; size < object.size(); ++size) {
    const auto result = decode(object.first(size));
    ASSERT_FALSE(result) << "cut to " << size << " of " << object.size();
    ASSERT_EQ(result.error().kind, ErrorKind::corrupt) << "cut to " << size;
  }
}

template <class Decode>
void expect_flips_refused(std::span<const std::byte> object, const Decode& decode) {
  std::vector<std::byte> copy(object.begin(), object.end());
  for (std::size_t i = 0; i < copy.size(); ++i) {
    for (const int bits : {0x01, 0x20, 0x80, 0xff}) {
      copy[i] ^= static_cast<std::byte>(bits);
      const auto result = decode(std::span<const std::byte>(copy));
      ASSERT_FALSE(result) << "byte " << i << " xor " << bits;
      ASSERT_EQ(result.error().kind, ErrorKind::corrupt) << "byte " << i << " xor " << bits;
      copy[i] ^= static_cast<std::byte>(bits);
    }
  }
}

}  // namespace hearth::cache
