#include "util/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hearth::util {
namespace {

std::uint32_t crc_of(std::string_view text) {
  Crc32c crc;
  crc.update(std::as_bytes(std::span(text)));
  return crc.value();
}

// RFC 3720, section B.4; and the check value of the catalogue of CRCs.
TEST(Crc32c, HasThePublishedValues) {
  EXPECT_EQ(crc_of(""), 0U);
  EXPECT_EQ(crc_of("123456789"), 0xe3069283U);
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc_of(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST(Crc32c, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += static_cast<char>(i * i);
  for (const std::size_t at : {std::size_t{1}, std::size_t{7}, std::size_t{4'096}, text.size()}) {
    Crc32c crc;
    crc.update(std::as_bytes(std::span(text).first(at)));
    crc.update(std::as_bytes(std::span(text).subspan(at)));
    EXPECT_EQ(crc.value(), crc_of(text)) << at;
  }
}

}  // namespace
}  // namespace hearth::util
