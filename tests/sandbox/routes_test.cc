#include "sandbox/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/slirp.h"

namespace hearth::sandbox {
namespace {

Prefix prefix(const std::string& text) {
  return parse_prefix(text).value();
}

TEST(PrefixTest, ReadsBothFamilies) {
  EXPECT_EQ(prefix("169.254.0.0/16"), (Prefix{{std::byte{169}, std::byte{254}, std::byte{0}, std::byte{0}}, 16}));
  EXPECT_EQ(prefix("10.0.0.1").bits, 32U);
  EXPECT_EQ(prefix("fe80::/10").address.size(), 16U);
  EXPECT_EQ(prefix("::1").bits, 128U);
  for (const char* wrong : {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "fe80::/129", "name"}) {
    EXPECT_FALSE(parse_prefix(wrong)) << wrong;
  }
}

TEST(PrefixTest, Overlaps) {
  EXPECT_TRUE(overlap(prefix("10.0.0.0/8"), prefix("10.1.2.3")));
  EXPECT_TRUE(overlap(prefix("10.1.2.3"), prefix("0.0.0.0/0")));
  EXPECT_FALSE(overlap(prefix("10.0.2.0/24"), prefix("10.0.3.1")));
  EXPECT_FALSE(overlap(prefix("10.0.2.0/24"), prefix("::/0")));
}

TEST(SlirpTest, ChoosesANetworkThatIsFree) {
  EXPECT_EQ(choose_network({}).value(), "10.0.2.0/24");
  EXPECT_NE(choose_network({prefix("10.0.2.15")}).value(), "10.0.2.0/24");
  EXPECT_FALSE(choose_network({prefix("0.0.0.0/0")}));
  EXPECT_EQ(name_server("10.0.2.0/24"), "10.0.2.3");
}

// The layout that rtnetlink(7) gives: length, type RTM_NEWROUTE, family, prefix length, type unreachable, destination.
TEST(RouteTest, IsARequestForAnUnreachableRange) {
  const std::string message = unreachable_route(prefix("169.254.0.0/16"));
  ASSERT_EQ(message.size(), 16U + 12U + 4U + 4U);
  EXPECT_EQ(message[0], 36);
  EXPECT_EQ(message[4], 24);
  EXPECT_EQ(message[16], 2);
  EXPECT_EQ(message[17], 16);
  EXPECT_EQ(message[16 + 7], 7);
  EXPECT_EQ(message.substr(32), std::string("\xa9\xfe\0\0", 4));
}

}  // namespace
}  // namespace hearth::sandbox
