#include "cache/format/head.h"

#include <gmock/gmock.h>

#include <chrono>
#include <functional>

#include "cache/format/bytes.h"
#include "cache/format/layout.h"
#include "cache/format/pack.h"
#include "cache/format_samples.h"
#include "cache/mutations.h"

namespace hearth::cache {
namespace {

using testing::HasSubstr;
using testing::Not;

// The text with one piece replaced, and the checksum made right again.
std::string resealed(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  text.resize(text.rfind(",\"sha256\""));
  const std::string sum = util::sha256(text).hex();
  return text + ",\"sha256\":\"" + sum + "\"}\n";
}

TEST(Head, ComesBackWithEveryMember) {
  for (const Head& head : {sample::head(), sample::empty_head()}) {
    const auto decoded = decode_head(encode_head(head));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, head);
  }
}

TEST(Head, OfAPurgeOfAPathOnlyTheLastIsKnown) {
  Head head = sample::empty_head();
  EXPECT_THAT(encode_head(head), Not(HasSubstr("cut")));
  head.cut = sample::id('c');
  const auto decoded = decode_head(encode_head(head));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, head);
  EXPECT_FALSE(decode_head(resealed(encode_head(head), "\"cut\":\"cccc", "\"cut\":\"xccc")));
  EXPECT_FALSE(decode_head(resealed(encode_head(head), "\"cut\":\"cccc", "\"cut\":7,\"x\":\"cccc")));
}

TEST(Head, KnowsWhatAFailedBuildLeft) {
  Head head = sample::head();
  EXPECT_EQ(failed_generation(head), nullptr);
  EXPECT_THAT(encode_head(head), testing::Not(HasSubstr("failed")));
  head.aside.push_back(sample::generation('7'));
  head.aside.back().failed = true;
  const auto decoded = decode_head(encode_head(head));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, head);
  ASSERT_NE(failed_generation(*decoded), nullptr);
  EXPECT_EQ(failed_generation(*decoded)->id, sample::id('7'));
  EXPECT_EQ(find_base(*decoded, sample::id('7')), failed_generation(*decoded));
  EXPECT_EQ(find_base(*decoded, head.aside.front().id), nullptr);
  EXPECT_FALSE(decode_head(resealed(encode_head(head), "\"failed\":true", "\"failed\":1")));
}

TEST(Head, RefusesDamage) {
  const std::string text = encode_head(sample::head());
  const auto decode = [](std::span<const std::byte> bytes) { return decode_head(as_text(bytes)); };
  expect_truncations_refused(as_bytes(text), decode);
  expect_flips_refused(as_bytes(text), decode);
  EXPECT_FALSE(decode_head(text + "\n"));
  EXPECT_FALSE(decode_head(std::string(kHeadLimit + 1, ' ')));
}

TEST(Head, KeepsMembersThatItDoesNotKnow) {
  const std::string text = resealed(encode_head(sample::empty_head()), "\"pins\"", "\"new\":{\"a\":1},\"pins\"");
  Head head = *decode_head(text);
  head.serial = 77;
  EXPECT_THAT(encode_head(head), HasSubstr("\"new\":{\"a\":1}"));
}

TEST(Head, HostileDepthIsRefused) {
  const std::string text = encode_head(sample::empty_head());
  const auto nested = [&](std::size_t depth) {
    return resealed(text, "\"pins\"", "\"new\":" + std::string(depth, '[') + std::string(depth, ']') + ",\"pins\"");
  };
  EXPECT_TRUE(decode_head(nested(50)));
  for (const std::size_t depth : {65U, 100'000U}) {
    const auto decoded = decode_head(nested(depth));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt);
  }
}

TEST(Head, OfANewerFormatIsInvalid) {
  const std::string text = resealed(encode_head(sample::empty_head()), "\"format\":1", "\"format\":2");
  EXPECT_EQ(decode_head(text).error().kind, ErrorKind::invalid);
  // Also where nothing else is as it was.
  EXPECT_EQ(decode_head(resealed(text, "\"generations\":[]", "\"things\":0")).error().kind, ErrorKind::invalid);
}

TEST(Head, RefusesWellSealedLies) {
  const std::string text = encode_head(sample::head());
  const std::vector<std::pair<std::string, std::string>> lies = {
      {"\"epoch\":\"eeee", "\"epoch\":\"../e"},
      {"\"serial\":18446744073709551615", "\"serial\":-1"},
      {"\"serial\":18446744073709551615", "\"serial\":1.5"},
      {"\"compare_and_swap\":true", "\"compare_and_swap\":1"},
      {"\"generations\":[", "\"generations\":[7,"},
      {"\"generations\":[", "\"generations\":{},\"x\":["},
      {"\"id\":\"bbbb", "\"id\":\"cbbb"},
      {"33554432,33554000", "33554432,-4"},
      {"33554432,33554000", "33554432,268435457"},
      {"\"bytes\":100", "\"bytes\":553648129"},
      {"\"bytes\":100", "\"bytes\":18446744073709551615"},
      {"[0,33554432,33554000]", "[4,33554432,33554000]"},
      {"[0,33554432,33554000]", "[4294967295,33554432,33554000]"},
      {"[0,33554432,33554000]", "0"},
      {"[0,33554432,33554000]", "[]"},
      {"eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa-5", "eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa-05"},
      {"eeeeeeeeeeeeeeee/manifest/9999999999999999", "eeeeeeeeeeeeeeee/other/9999999999999999"},
      {"\"since\":", "\"since\":-"},
      {"\"pins\":[\"a", "\"pins\":[\"x"},
      {"%C3", "%X3"},
  };
  for (const auto& [from, to] : lies) {
    const auto decoded = decode_head(resealed(text, from, to));
    ASSERT_FALSE(decoded) << to;
    EXPECT_EQ(decoded.error().kind, ErrorKind::corrupt) << to;
  }
}

TEST(Head, TheLargestObjectsAreTaken) {
  std::string text = resealed(encode_head(sample::head()), "33554432,33554000", "33554432,268435456");
  text = resealed(text, "\"bytes\":100", "\"bytes\":553648128");
  const auto decoded = decode_head(text);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->generations.front().manifests.front().bytes, kManifestObjectLimit);
  EXPECT_EQ(decoded->generations.front().packs[1].bytes, kPackLimit);
}

std::chrono::seconds time_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
}

// Each of these takes a minute where something is looked for from the begin, and a HEAD can be ten times as large.
TEST(Head, ManyMembersAndManySavesTakeNoLongTime) {
  std::string members;
  for (int i = 0; i < 30'000; ++i) members += fmt::format("\"x{}\":0,", i);
  const std::string text = resealed(encode_head(sample::empty_head()), "\"pins\"", members + "\"pins\"");
  EXPECT_LT(time_of([&] {
              const auto decoded = decode_head(text);
              ASSERT_TRUE(decoded) << decoded.error().message;
              EXPECT_EQ(encode_head(*decoded).size(), text.size());
            }),
            std::chrono::seconds(15));
  Head head = sample::empty_head();
  head.generations = {sample::generation('a')};
  head.generations.front().packs.clear();
  for (std::uint64_t i = 0; i < 30'000; ++i)
    head.generations.front().packs.push_back({fmt::format("{:016x}", i), 0, 9});
  EXPECT_LT(time_of([&] { EXPECT_EQ(*decode_head(encode_head(head)), head); }), std::chrono::seconds(15));
}

TEST(Head, ManyBadObjectsTakeNoLongTime) {
  Head head = sample::empty_head();
  Generation generation = sample::generation('f');
  for (std::uint32_t i = 0; i < 100'000; ++i) generation.packs.push_back({sample::id('f'), i + 1, 9});
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    head.bad.push_back({head.epoch, ObjectKind::pack, sample::id('a'), i});
    head.bad.push_back({sample::id('0'), ObjectKind::pack, sample::id('f'), i});
  }
  EXPECT_LT(time_of([&] { EXPECT_FALSE(names_bad(head, generation)); }), std::chrono::seconds(10));
  head.bad.push_back({head.epoch, ObjectKind::pack, sample::id('f'), 77'777});
  EXPECT_TRUE(names_bad(head, generation));
  head.bad = {{head.epoch, ObjectKind::manifest, sample::id('f'), 0}};
  EXPECT_TRUE(names_bad(head, generation));
}

TEST(Head, ALongChainIsRefused) {
  Head head = sample::empty_head();
  Generation generation = sample::generation('a');
  for (const char digit : {'b', 'c', 'd'}) generation = sample::delta_on(generation, digit);
  head.generations = {generation};
  EXPECT_TRUE(decode_head(encode_head(head)));
  head.generations = {sample::delta_on(generation, 'f')};
  EXPECT_FALSE(decode_head(encode_head(head)));
}

TEST(Head, SixtySavesTakeSixKilobytes) {
  Head head = sample::empty_head();
  Generation generation = sample::generation('f');
  generation.packs.clear();
  for (std::uint64_t i = 0; i < 60; ++i) generation.packs.push_back({fmt::format("{:016x}", i), 0, 1'000'000 + i});
  head.generations = {generation, generation, generation};
  EXPECT_LT(encode_head(head).size(), 8000U);
}

TEST(Layout, HeadComesFirst) {
  for (const std::string stack : {"heroku-24", "18", "Aqua", "\xff", "."}) {
    const Layout layout = *Layout::of({.app = "a/b", .stack = stack, .arch = "amd64"});
    EXPECT_LT(layout.head().text(), layout.objects().text());
    EXPECT_TRUE(layout.head().text().starts_with("apps/a%2Fb/cache/HEAD."));
  }
}

TEST(Layout, NamesComeBack) {
  const Layout layout = *Layout::of(sample::kName);
  for (const ObjectName& object : {ObjectName{sample::id('e'), ObjectKind::manifest, sample::id('a'), 0},
                                   ObjectName{sample::id('e'), ObjectKind::pack, sample::id('a'), UINT32_MAX}}) {
    EXPECT_EQ(layout.parse(layout.key(object)), object);
  }
  EXPECT_EQ(layout.parse(layout.head()), std::nullopt);
  for (const std::string_view text :
       {"eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa", "eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa-",
        "eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa-4294967296", "eeeeeeeeeeeeeeee/pack/aaaaaaaaaaaaaaaa-1x",
        "eeeeeeeeeeeeeeee/manifest/AAAAAAAAAAAAAAAA", "eeeeeeeeeeeeeeee/manifest", "x/manifest/aaaaaaaaaaaaaaaa"}) {
    EXPECT_EQ(ObjectName::parse(text), std::nullopt) << text;
  }
}

TEST(Layout, RefusesWhatIsNoName) {
  EXPECT_FALSE(Layout::of({.app = "", .stack = "s", .arch = "amd64"}));
  EXPECT_FALSE(Layout::of({.app = "a", .stack = "", .arch = "amd64"}));
  EXPECT_FALSE(Layout::of({.app = "a", .stack = "s", .arch = "a-b"}));
  EXPECT_FALSE(Layout::of({.app = std::string(1000, 'a'), .stack = "s", .arch = "amd64"}));
}

}  // namespace
}  // namespace hearth::cache
