#include "cache/format/manifest.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <sys/mman.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "cache/format/compression.h"
#include "cache/format/manifest_frame.h"
#include "cache/format_samples.h"
#include "cache/mutations.h"

namespace hearth::cache {
namespace {

const util::Digest kBase = util::sha256("base");

std::vector<std::byte> delta() {
  return *encode_delta(sample::changed_manifest(), sample::manifest(), kBase);
}

Result<Manifest> decode_sample_delta(std::span<const std::byte> object) {
  return decode_delta(object, sample::manifest(), kBase);
}

TEST(Manifest, ComesBack) {
  for (const Manifest& manifest :
       {Manifest{}, sample::manifest(), sample::changed_manifest(), sample::inline_manifest()}) {
    ASSERT_TRUE(check(manifest)) << check(manifest).error().message;
    const auto object = encode_manifest(manifest);
    ASSERT_TRUE(object);
    const auto decoded = decode_manifest(*object);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_TRUE(*decoded == manifest);
    EXPECT_EQ(unseal(*object)->base, std::nullopt);
  }
}

TEST(Manifest, ComesBackAsADelta) {
  const std::vector<Manifest> all = {Manifest{}, sample::manifest(), sample::changed_manifest()};
  for (const Manifest& base : all) {
    for (const Manifest& next : all) {
      const auto object = encode_delta(next, base, kBase);
      ASSERT_TRUE(object);
      const auto decoded = decode_delta(*object, base, kBase);
      ASSERT_TRUE(decoded) << decoded.error().message;
      EXPECT_TRUE(*decoded == next);
      EXPECT_EQ(unseal(*object)->base, kBase);
    }
  }
}

// What was unpacked or copied anew: names are not told again.
TEST(Manifest, NewTimesAloneTakeAFewBytesEach) {
  constexpr std::size_t kFiles = 1000;
  std::set<std::string> names;
  for (std::size_t i = 0; i < kFiles; ++i) names.insert(util::sha256(fmt::format("{}", i)).hex());
  Manifest base;
  Manifest next;
  std::int64_t time = 1'700'000'000'000'000'000;
  for (const std::string& name : names) {
    Entry entry;
    entry.path = name;
    entry.kind = EntryKind::file;
    entry.mode = 0644;
    entry.mtime = time;
    base.entries.add(entry);
    time += 100'000 + name[0] * 1'003 + name[1] * 101 + name[2];
    entry.mtime = time;
    next.entries.add(entry);
  }
  const auto object = encode_delta(next, base, kBase);
  ASSERT_TRUE(object);
  EXPECT_LT(object->size(), 4 * kFiles);
  const auto decoded = decode_delta(*object, base, kBase);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(*decoded == next);
}

TEST(Manifest, ABlockOfTheSameDigestAtTheSamePlaceMayBeAnotherOne) {
  for (const auto change : {0, 1, 2}) {
    Manifest next = sample::manifest();
    Block& block = next.blocks[0];
    if (change == 0) block.raw_bytes = 1001;
    if (change == 1) block.stored_bytes = 99;
    if (change == 2) block.digest = util::sha256("other");
    const auto object = encode_delta(next, sample::manifest(), kBase);
    ASSERT_TRUE(object);
    EXPECT_TRUE(*decode_sample_delta(*object) == next);
  }
}

TEST(Manifest, DeltaFitsItsBaseOnly) {
  EXPECT_EQ(decode_manifest(delta()).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(decode_delta(delta(), sample::manifest(), util::sha256("other")).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(decode_delta(*encode_manifest(Manifest{}), sample::manifest(), kBase).error().kind, ErrorKind::corrupt);
  // Even under a digest that is right: what it refers to is not there.
  EXPECT_EQ(decode_delta(delta(), Manifest{}, kBase).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(encode_delta(sample::inline_manifest(), Manifest{}, kBase).error().kind, ErrorKind::invalid);
}

TEST(Manifest, RefusesDamage) {
  const auto full = *encode_manifest(sample::manifest());
  expect_truncations_refused(full, decode_manifest);
  expect_flips_refused(full, decode_manifest);
  const auto in_line = *encode_manifest(sample::inline_manifest());
  expect_truncations_refused(in_line, decode_manifest);
  expect_flips_refused(in_line, decode_manifest);
  expect_truncations_refused(delta(), decode_sample_delta);
  expect_flips_refused(delta(), decode_sample_delta);
}

TEST(Manifest, OfANewerFormatIsInvalid) {
  auto object = *encode_manifest(Manifest{});
  object[7] = std::byte{2};
  const auto sum = util::sha256(std::span(object).first(object.size() - 32));
  std::ranges::copy(sum.bytes, object.end() - 32);
  EXPECT_EQ(decode_manifest(object).error().kind, ErrorKind::invalid);
}

// The inside with one byte changed or cut, sealed again: past the checksum the decoder stands alone.
template <class Decode>
void expect_lies_bounded(std::span<const std::byte> object, const Decode& decode) {
  const Frame frame = *unseal(object);
  const std::vector<std::byte> body = *decompress(frame.body, frame.body_bytes);
  for (std::size_t i = 0; i < body.size(); ++i) {
    for (const int bits : {0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0xff}) {
      std::vector<std::byte> lie = body;
      lie[i] ^= static_cast<std::byte>(bits);
      const auto decoded = decode(*seal(lie, frame.base, frame.inline_bytes, Packing::small));
      if (decoded) {
        EXPECT_TRUE(check(*decoded));
      } else {
        ASSERT_EQ(decoded.error().kind, ErrorKind::corrupt);
      }
    }
    ASSERT_FALSE(decode(*seal(std::span(body).first(i), frame.base, frame.inline_bytes, Packing::small)));
  }
}

TEST(Manifest, WellSealedLiesAreRefusedOrHarmless) {
  expect_lies_bounded(*encode_manifest(sample::manifest()), decode_manifest);
  expect_lies_bounded(*encode_manifest(sample::inline_manifest()), decode_manifest);
  expect_lies_bounded(delta(), decode_sample_delta);
}

TEST(Manifest, CountsAreNotTrusted) {
  ByteWriter body;
  body.varint(0755);
  body.zigzag(0);
  body.varint(0);
  body.varint(0);
  body.varint(UINT64_MAX);  // entries
  EXPECT_EQ(decode_manifest(*seal(body.bytes(), std::nullopt, {}, Packing::small)).error().kind, ErrorKind::corrupt);
}

// By how much the memory of this process grew at most, in bytes.
std::uint64_t most_memory_of(const std::function<void()>& work) {
  const auto field = [](std::string_view name) {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
      if (line.starts_with(name)) return std::stoull(line.substr(name.size()));
    }
    ADD_FAILURE() << "no " << name;
    return 0ULL;
  };
  std::ofstream("/proc/self/clear_refs") << "5";  // the highest mark is what is used now
  const std::uint64_t before = field("VmHWM:");
  work();
  return (field("VmHWM:") - before) << 10;
}

// A few KiB as they are stored: numbers for which a gigabyte would be made ready, and nothing behind them but zeros.
TEST(Manifest, LargeCountsAreRefusedBeforeAnythingIsMadeReady) {
  const auto object = [](std::size_t zeros, const std::function<void(ByteWriter&)>& begin) {
    ByteWriter body;
    body.varint(0755);
    body.zigzag(0);
    begin(body);
    body.raw(std::vector<std::byte>(zeros));
    return *seal(body.bytes(), std::nullopt, {}, Packing::fast);
  };
  constexpr std::size_t kPacks = 12'000'000;
  const auto packs = object(3 * kPacks, [](ByteWriter& body) { body.varint(kPacks); });
  constexpr std::size_t kExtents = 34'000'000;
  const auto extents = object(kExtents, [](ByteWriter& body) {
    body.varint(0);  // packs
    body.varint(0);  // blocks
    body.varint(1);  // entries
    body.varint(0);
    body.text("a");
    body.u8(static_cast<std::uint8_t>(EntryKind::file));
    body.zigzag(0);
    body.varint(0644);
    body.varint(1);
    body.varint(kExtents);
  });
  for (const auto& hostile : {packs, extents}) {
    EXPECT_LT(hostile.size(), 10'000U);
    EXPECT_LT(most_memory_of([&] { EXPECT_EQ(decode_manifest(hostile).error().kind, ErrorKind::corrupt); }),
              std::uint64_t{100} << 20);
  }
}

TEST(Manifest, WhatDoesNotFitIsRefusedAndNotCut) {
  Manifest manifest = sample::manifest();
  const std::string name(70'000, 'x');
  manifest.entries.add({.path = name, .mode = 0644, .target = {}, .extents = {}});
  EXPECT_EQ(manifest.entries.memory(), UINT64_MAX);
  ASSERT_FALSE(check(manifest));
  EXPECT_EQ(check(manifest).error().kind, ErrorKind::corrupt);
  // Nobody looks into it, so it costs no memory.
  constexpr std::size_t kTooMuch = kManifestLimit + 1;
  void* const zeros = ::mmap(nullptr, kTooMuch, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  const auto sealed = seal({static_cast<const std::byte*>(zeros), kTooMuch}, std::nullopt, {}, Packing::fast);
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().kind, ErrorKind::invalid);
  ::munmap(zeros, kTooMuch);
}

// Each in a pack of its own, all with one digest: as many steps as blocks, and not as many as pairs of them.
TEST(Manifest, ManyBlocksAndPacksTakeNoLongTime) {
  constexpr std::uint32_t kMany = 30'000;
  Manifest base;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    base.packs.push_back({sample::id('a'), i, 5000});
    base.blocks.push_back({.pack = i,
                           .offset = 8,
                           .stored_bytes = 100,
                           .raw_bytes = 1000,
                           .digest = util::sha256("the same"),
                           .encoding = Encoding::zstd});
  }
  Manifest next = base;
  std::ranges::reverse(next.packs);
  next.blocks[0].offset = 9;
  const auto began = std::chrono::steady_clock::now();
  const auto object = encode_delta(next, base, kBase);
  ASSERT_TRUE(object);
  const auto decoded = decode_delta(*object, base, kBase);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(*decoded == next);
}

Entry file(std::string_view path, std::uint64_t size = 0, std::span<const Extent> extents = {}) {
  return {.path = path, .mode = 0644, .size = size, .target = {}, .extents = extents};
}
Entry link(EntryKind kind, std::string_view path, std::string_view target) {
  return {.path = path, .kind = kind, .target = target, .extents = {}};
}

Result<void> check_entries_of(std::initializer_list<Entry> entries) {
  Manifest manifest = sample::inline_manifest();
  manifest.entries = {};
  for (const Entry& entry : entries) manifest.entries.add(entry);
  return check(manifest);
}

TEST(ManifestRules, Paths) {
  EXPECT_TRUE(check_entries_of({file("...")}));
  for (const std::string& path : {std::string(""), std::string("/a"), std::string("."), std::string(".."),
                                  std::string("a/"), std::string("a\0b", 3), std::string(kPathLimit + 1, 'x')}) {
    EXPECT_FALSE(check_entries_of({file(path)})) << path;
  }
  const Entry directory{.path = "a", .kind = EntryKind::directory, .mode = 0755, .target = {}, .extents = {}};
  EXPECT_TRUE(check_entries_of({directory, file("a/b")}));
  for (const std::string_view path : {"a/..", "a/./b", "a//b", "a/../../b", "b/c"}) {
    EXPECT_FALSE(check_entries_of({directory, file(path)})) << path;
  }
}

TEST(ManifestRules, OrderAndParents) {
  EXPECT_FALSE(check_entries_of({file("b"), file("a")}));
  EXPECT_FALSE(check_entries_of({file("a"), file("a")}));
  EXPECT_FALSE(check_entries_of({file("a"), file("a/b")}));
  EXPECT_FALSE(check_entries_of({link(EntryKind::symlink, "a", "/etc"), file("a/passwd")}));
}

TEST(ManifestRules, Links) {
  EXPECT_TRUE(check_entries_of({file("a"), link(EntryKind::hard_link, "b", "a")}));
  EXPECT_FALSE(check_entries_of({file("a"), link(EntryKind::hard_link, "b", "c")}));
  EXPECT_FALSE(check_entries_of({file("a"), link(EntryKind::hard_link, "b", "../a")}));
  EXPECT_FALSE(check_entries_of({file("a"), link(EntryKind::hard_link, "b", "b")}));
  EXPECT_FALSE(check_entries_of({link(EntryKind::hard_link, "a", "b"), file("b")}));
  EXPECT_FALSE(check_entries_of({link(EntryKind::symlink, "a", "x"), link(EntryKind::hard_link, "b", "a")}));
  EXPECT_FALSE(check_entries_of({link(EntryKind::symlink, "a", "")}));
}

TEST(ManifestRules, Content) {
  const auto fits = [](std::uint64_t size, std::vector<Extent> extents) {
    return check_entries_of({file("a", size, extents)}).has_value();
  };
  EXPECT_TRUE(fits(100, {{0, 0, 100}}));
  EXPECT_TRUE(fits(INT64_MAX, {{kHole, 0, INT64_MAX}}));
  EXPECT_FALSE(fits(101, {{0, 0, 101}}));
  EXPECT_FALSE(fits(99, {{0, 0, 100}}));
  EXPECT_FALSE(fits(101, {{0, 0, 100}}));
  EXPECT_FALSE(fits(100, {{0, 1, 100}}));
  EXPECT_FALSE(fits(100, {{2, 0, 100}}));
  EXPECT_FALSE(fits(100, {{0, 0, 100}, {0, 0, 0}}));
  EXPECT_FALSE(fits(100, {{kHole, 1, 100}}));
  EXPECT_FALSE(fits(0, {{kHole, 0, UINT64_MAX}, {kHole, 0, 1}}));
  EXPECT_FALSE(fits(UINT64_MAX, {{kHole, 0, UINT64_MAX}}));
}

TEST(ManifestRules, ModesKeepNoSetuid) {
  Entry entry = file("a");
  entry.mode = 04755;
  EXPECT_FALSE(check_entries_of({entry}));
  Manifest manifest;
  manifest.root_mode = 02755;
  EXPECT_FALSE(check(manifest));
}

TEST(ManifestRules, BlocksAndPacks) {
  const auto good = [](auto change) {
    Manifest manifest = sample::manifest();
    change(manifest);
    return check(manifest).has_value();
  };
  EXPECT_TRUE(good([](Manifest&) {}));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].pack = 2; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].pack = kInline; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].offset = 4990; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].offset = UINT64_MAX; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].offset = 60; }));  // overlaps the third
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].raw_bytes = kBlockLimit + 1; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[0].stored_bytes = 0; }));
  EXPECT_FALSE(good([](Manifest& m) { m.blocks[1].raw_bytes = 201; }));
  EXPECT_FALSE(good([](Manifest& m) { m.packs[1] = m.packs[0]; }));
  EXPECT_FALSE(good([](Manifest& m) { m.packs[0].save = "../../../../up/a"; }));
  EXPECT_FALSE(good([](Manifest& m) { m.packs.push_back({sample::id('f'), 0, 10}); }));
  EXPECT_FALSE(good([](Manifest& m) { m.inline_bytes.resize(1); }));
}

// A directory of up to a dozen names in two folders, each a file of a block and an offset, or absent.
Manifest random_manifest() {
  Manifest manifest;
  const auto packs = *rc::gen::inRange<std::uint32_t>(1, 4);
  const auto blocks = *rc::gen::inRange<std::uint32_t>(packs, 9);
  for (std::uint32_t i = 0; i < packs; ++i) manifest.packs.push_back({sample::id("abcd"[i]), i % 2, 100'000});
  for (std::uint32_t i = 0; i < blocks; ++i) {
    const auto content = *rc::gen::inRange(0, 3);
    manifest.blocks.push_back({.pack = i % packs,
                               .offset = 8 + i * 1000,
                               .stored_bytes = 1000,
                               .raw_bytes = 4000,
                               .digest = util::sha256(std::to_string(content)),
                               .encoding = Encoding::zstd});
  }
  for (const std::string folder : {"a", "b"}) {
    manifest.entries.add({.path = folder,
                          .kind = EntryKind::directory,
                          .mode = 0755,
                          .mtime = *rc::gen::inRange(-9, 9),
                          .target = {},
                          .extents = {}});
    for (const std::string name : {"1", "2", "3", "4", "5", "6"}) {
      if (*rc::gen::inRange(0, 3) == 0) continue;
      std::vector<Extent> extents;
      std::uint64_t size = 0;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        const bool hole = *rc::gen::inRange(0, 4) == 0;
        extents.push_back({hole ? kHole : *rc::gen::inRange(0U, blocks), hole ? 0 : *rc::gen::inRange(0U, 3U) * 100,
                           *rc::gen::inRange<std::uint64_t>(1, 3) * 100});
        size += extents.back().length;
      }
      manifest.entries.add({.path = folder + "/" + name,
                            .mode = 0644,
                            .mtime = *rc::gen::inRange(0, 3),
                            .size = size,
                            .target = {},
                            .extents = extents});
    }
  }
  return manifest;
}

TEST(ManifestProperty, AnyManifestComesBackInFullAndAsADelta) {
  EXPECT_TRUE(rc::check([] {
    const Manifest base = random_manifest();
    const Manifest next = random_manifest();
    RC_ASSERT(check(base).has_value());
    RC_ASSERT(*decode_manifest(*encode_manifest(next)) == next);
    RC_ASSERT(*decode_delta(*encode_delta(next, base, kBase), base, kBase) == next);
  }));
}

TEST(Manifest, AHundredThousandEntriesAreSmall) {
  Manifest manifest = sample::inline_manifest();
  manifest.entries = {};
  const std::vector<Extent> extents = {{0, 0, 100}};
  const std::size_t count = 100'000;
  for (std::size_t i = 0; i < count; ++i) {
    manifest.entries.add({.path = fmt::format("a-file-with-a-name-of-an-ordinary-length-in-a-cache-{:08}", i),
                          .mode = 0644,
                          .mtime = static_cast<std::int64_t>(i),
                          .size = 100,
                          .target = {},
                          .extents = extents});
  }
  EXPECT_LT(manifest.entries.memory() / count, 150U);
  const auto object = *encode_manifest(manifest);
  EXPECT_LT(object.size() / count, 10U);
  EXPECT_TRUE(*decode_manifest(object) == manifest);
  Manifest next = manifest;
  next.root_mtime = 7;
  EXPECT_TRUE(next.entries.find(manifest.entries[500].path) == 500U);
}

}  // namespace
}  // namespace hearth::cache
