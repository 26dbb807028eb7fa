#include "util/text.h"

#include "util/error.h"
#include "util/hash.h"

namespace hearth::util {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(PercentTest, encodes_and_comes_back) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_encode("a/b%c~"), "a%2Fb%25c~");
  EXPECT_EQ(percent_encode("."), "%2E");
  EXPECT_EQ(percent_encode(".."), "%2E%2E");
  EXPECT_EQ(percent_encode("..."), "...");
  EXPECT_EQ(percent_encode(""), "");
  EXPECT_EQ(percent_decode("%2f%2F").value(), "//");
  for (const std::string text : {"%", "%2", "a%zz", "%+1", "%-1", "% 1", "%0x"}) {
    EXPECT_FALSE(percent_decode(text)) << text;
  }
  EXPECT_EQ(percent_decode("secret%zz").error().message, "a '%' without two hexadecimal digits");
}

TEST(PercentTest, the_slashes_of_a_path_stay) {
  EXPECT_EQ(percent_encode_path("a b/%//c"), "a%20b/%25//c");
  EXPECT_EQ(percent_encode_path("/a/"), "/a/");
  EXPECT_EQ(percent_encode_path("a/../."), "a/%2E%2E/%2E");
  EXPECT_EQ(percent_encode_path(""), "");
}

TEST(LowerTest, changes_letters_of_ascii_alone) {
  EXPECT_EQ(lower("AbZ-09\xc3\x84"), "abz-09\xc3\x84");
}

TEST(HumanTest, sizes_have_at_most_three_digits) {
  const std::vector<std::pair<std::uint64_t, std::string>> cases = {{0, "0 B"},
                                                                    {999, "999 B"},
                                                                    {1000, "1 kB"},
                                                                    {1500, "1.5 kB"},
                                                                    {99'940, "99.9 kB"},
                                                                    {99'960, "100 kB"},
                                                                    {999'499, "999 kB"},
                                                                    {999'500, "1 MB"},
                                                                    {20'000'000, "20 MB"},
                                                                    {3'200'000'000, "3.2 GB"},
                                                                    {UINT64_MAX, "18447 PB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(human_size(bytes), text);
}

TEST(HumanTest, durations_round_up_to_the_next_unit) {
  EXPECT_EQ(human_duration(0ns), "0 ms");
  EXPECT_EQ(human_duration(12ms), "12 ms");
  EXPECT_EQ(human_duration(999'600us), "1 s");
  EXPECT_EQ(human_duration(3400ms), "3.4 s");
  EXPECT_EQ(human_duration(59'960ms), "1 m 00 s");
  EXPECT_EQ(human_duration(125s), "2 m 05 s");
  EXPECT_EQ(human_duration(3599'600ms), "1 h 00 m");
  EXPECT_EQ(human_duration(70min), "1 h 10 m");
}

TEST(ParseTest, durations) {
  EXPECT_EQ(parse_duration("90").value(), 90s);
  EXPECT_EQ(parse_duration(" 1h30m ").value(), 90min);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
  EXPECT_EQ(parse_duration("0").value(), 0ms);
  for (const std::string text :
       {"", " ", "-1", "-0", "s", "5x", "inf", "nan", "1 2", "1.5.5", "1e300", "1h-5m", "200000d", "99999999999d"}) {
    const Result<std::chrono::milliseconds> result = parse_duration(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::invalid);
  }
}

TEST(ParseTest, sizes) {
  EXPECT_EQ(parse_size("1048576").value(), 1048576U);
  EXPECT_EQ(parse_size("64k").value(), 64000U);
  EXPECT_EQ(parse_size("300MB").value(), 300'000'000U);
  EXPECT_EQ(parse_size("2 GiB").value(), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("1.5Ki").value(), 1536U);
  EXPECT_EQ(parse_size("0B").value(), 0U);
  for (const std::string text : {"", "-1", "MB", "5i", "5q", "1k2", "1e30", "inf", "9223372036854775808", "1 Bytes"}) {
    const Result<std::uint64_t> result = parse_size(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::invalid);
  }
}

TEST(NearestTest, names_only_what_could_be_meant) {
  const std::vector<std::string> candidates = {"on", "off", "read-only", "refresh"};
  EXPECT_EQ(nearest("refrsh", candidates), "refresh");
  EXPECT_EQ(nearest("readonly", candidates), "read-only");
  EXPECT_EQ(nearest("offf", candidates), "off");
  EXPECT_EQ(nearest("x", candidates), "");
  EXPECT_EQ(nearest("", candidates), "");
  EXPECT_EQ(nearest("something", candidates), "");
  EXPECT_EQ(nearest("on", {}), "");
}

TEST(SplitTest, keeps_empty_parts) {
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(RandomTest, is_as_long_as_asked_and_never_the_same) {
  EXPECT_EQ(random_hex(8).size(), 16U);
  EXPECT_EQ(random_hex(100'000).size(), 200'000U);
  EXPECT_EQ(random_hex(0), "");
  EXPECT_NE(random_hex(8), random_hex(8));
}

TEST(TimeTest, is_utc) {
  const auto time = std::chrono::system_clock::from_time_t(1'769'903'999);
  EXPECT_EQ(utc_timestamp(time), "2026-01-31T23:59:59Z");
  EXPECT_EQ(utc_compact(time + 999ms), "20260131T235959Z");
}

TEST(HashTest, known_digests) {
  constexpr std::string_view kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(sha256("").hex(), kEmpty);
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hasher;
  hasher.update(std::as_bytes(std::span(std::string_view("a"))));
  hasher.update({});
  hasher.update(std::as_bytes(std::span(std::string_view("bc"))));
  EXPECT_EQ(hasher.finish(), sha256("abc"));
  EXPECT_EQ(hasher.finish().hex(), kEmpty) << "it starts anew";
}

TEST(HashTest, hexadecimal_digits) {
  const Digest digest = sha256("abc");
  EXPECT_EQ(Digest::from_hex(digest.hex()), digest);
  std::string upper = digest.hex();
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Digest::from_hex(upper), digest);
  EXPECT_FALSE(Digest::from_hex(digest.hex().substr(1)));
  EXPECT_FALSE(Digest::from_hex(digest.hex() + "0"));
  EXPECT_FALSE(Digest::from_hex(std::string(63, '0') + "g"));
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorKind::invalid, "{} is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  const int first = TRY(within("first", half(number)));
  return within("second", half(first));
}

TEST(ErrorTest, travels_with_its_context) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().message, "first: 7 is odd");
  EXPECT_EQ(quarter(6).error().message, "second: 3 is odd");
  EXPECT_EQ(quarter(6).error().kind, ErrorKind::invalid);
}

TEST(ErrorTest, errno_has_a_kind) {
  EXPECT_EQ(fail_errno(ENOENT, "x").error().kind, ErrorKind::not_found);
  EXPECT_EQ(fail_errno(EACCES, "x").error().kind, ErrorKind::denied);
  EXPECT_EQ(fail_errno(EPERM, "x").error().kind, ErrorKind::denied);
  EXPECT_EQ(fail_errno(ENOSPC, "x").error().kind, ErrorKind::io);
  EXPECT_EQ(fail_errno(ENOSPC, "opening x").error().message, "opening x: No space left on device");
  EXPECT_EQ(name(ErrorKind::not_found), "not_found");
}

TEST(Text, TimesAreReadAsTheyAreWritten) {
  const auto time = std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + std::chrono::seconds(86'399);
  for (const char* text : {"2026-01-31T23:59:59Z", "2026-01-31T23:59:59.123Z", "2026-01-31T23:59:59.390270"}) {
    ASSERT_TRUE(parse_utc_timestamp(text)) << text;
    EXPECT_EQ(*parse_utc_timestamp(text), time) << text;
  }
  EXPECT_EQ(utc_timestamp(*parse_utc_timestamp("0001-01-01T00:00:00Z")), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_timestamp(*parse_utc_timestamp("9999-12-31T23:59:59Z")), "2200-01-01T00:00:00Z");
  EXPECT_EQ(utc_timestamp(*parse_utc_timestamp("2024-02-29T00:00:00Z")), "2024-02-29T00:00:00Z");
  for (const char* text :
       {"", "Z", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31 23:59:59Z",
        "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59+01:00", "x026-01-31T23:59:59Z"}) {
    EXPECT_FALSE(parse_utc_timestamp(text)) << text;
  }
}

}  // namespace
}  // namespace hearth::util
