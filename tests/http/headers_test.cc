#include "http/headers.h"

#include <gtest/gtest.h>

namespace hearth::http {
namespace {

using std::chrono::milliseconds;

TEST(Headers, NamesHaveNoCase) {
  const Headers headers = {{"ETag", "\"a\""}, {"etag", "\"b\""}};
  EXPECT_EQ(find(headers, "Etag"), "\"a\"");
  EXPECT_FALSE(find(headers, "ETags"));
  EXPECT_EQ(value_of(headers, "Date"), "");
}

TEST(Headers, RetryAfterIsSecondsOrADate) {
  const Header date = {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"};
  EXPECT_EQ(retry_after({{"Retry-After", "3"}}), milliseconds(3'000));
  EXPECT_EQ(retry_after({date, {"Retry-After", "Sun, 06 Nov 1994 08:49:42 GMT"}}), milliseconds(5'000));
  EXPECT_EQ(retry_after({{"Retry-After", "99999999"}}), std::chrono::hours(1));
  EXPECT_EQ(retry_after({date, {"Retry-After", "Sun, 06 Nov 1994 08:49:36 GMT"}}), milliseconds(0));
  EXPECT_EQ(retry_after({{"Retry-After", "Sun, 06 Nov 1994 08:49:42 GMT"}}), milliseconds(0));
  for (const char* odd : {"", "soon", "-1", "1.5"})
    EXPECT_EQ(retry_after({{"Retry-After", odd}}), milliseconds(0)) << odd;
}

TEST(Headers, ContentRanges) {
  const auto range = content_range({{"Content-Range", "bytes 5-9/123"}});
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->size, 123U);
  EXPECT_FALSE(content_range({{"Content-Range", "bytes */7"}})->first);
  EXPECT_EQ(content_range({{"Content-Range", "bytes */7"}})->size, 7U);
  for (const char* odd : {"", "bytes 1-2/*", "items 1-2/3", "bytes 1-2", "bytes x-2/3", "bytes -/3"}) {
    EXPECT_FALSE(content_range({{"Content-Range", odd}})) << odd;
  }
}

TEST(Headers, DatesHaveThreeForms) {
  const auto expected = std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + std::chrono::hours(8) +
                        std::chrono::minutes(49) + std::chrono::seconds(37);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_date(text), expected) << text;
  }
  EXPECT_FALSE(parse_date("never"));
  EXPECT_FALSE(parse_date(""));
}

}  // namespace
}  // namespace hearth::http
