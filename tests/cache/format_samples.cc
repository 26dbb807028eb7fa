#include "cache/format_samples.h"

#include <algorithm>
#include <random>

namespace hearth::cache::sample {

namespace {

Block block(std::uint32_t pack, std::uint64_t offset, std::uint32_t stored, std::uint32_t raw,
            std::string_view content) {
  return {.pack = pack,
          .offset = offset,
          .stored_bytes = stored,
          .raw_bytes = raw,
          .digest = util::sha256(content),
          .encoding = stored == raw ? Encoding::stored : Encoding::zstd};
}

constexpr std::int64_t kTime = 1'577'836'800'123'456'789;

void add_file(Entries& entries, std::string_view path, std::uint16_t mode, const std::vector<Extent>& extents) {
  std::uint64_t size = 0;
  for (const Extent& extent : extents) size += extent.length;
  entries.add({.path = path,
               .mode = mode,
               .mtime = kTime + static_cast<std::int64_t>(path.size()),
               .size = size,
               .target = {},
               .extents = extents});
}

void add_directory(Entries& entries, std::string_view path, std::uint16_t mode) {
  entries.add({.path = path, .kind = EntryKind::directory, .mode = mode, .mtime = -5, .target = {}, .extents = {}});
}

void add_link(Entries& entries, EntryKind kind, std::string_view path, std::string_view target) {
  const std::int64_t mtime = kind == EntryKind::symlink ? kTime : 0;
  entries.add({.path = path, .kind = kind, .mtime = mtime, .target = target, .extents = {}});
}

}  // namespace

std::string id(char digit) {
  return std::string(16, digit);
}

std::vector<std::byte> noise(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 7);
  return bytes;
}

Manifest manifest() {
  Manifest manifest;
  manifest.root_mode = 0750;
  manifest.root_mtime = kTime;
  manifest.packs = {{id('b'), 0, 5000}, {id('a'), 7, 300}};
  manifest.blocks = {block(0, 8, 100, 1000, "one"), block(1, 8, 200, 200, "two"), block(0, 108, 50, 60, "three")};
  Entries& entries = manifest.entries;
  add_directory(entries, "bin", 0755);
  add_file(entries, "bin/empty", 0600, {});
  add_file(entries, "bin/gcc", 0755, {{0, 0, 400}});
  add_file(entries, "bin/ld", 0755, {{0, 400, 600}, {1, 0, 200}});
  add_link(entries, EntryKind::hard_link, "bin/ld.bfd", "bin/ld");
  add_directory(entries, "tmp", 01777);
  add_link(entries, EntryKind::symlink, "tmp/dangling", "/no/such \xff place");
  add_file(entries, "tmp/sparse", 0444, {{kHole, 0, 1 << 20}, {2, 10, 20}, {kHole, 0, 5}, {2, 30, 30}});
  add_file(entries, "tmp/same", 0444, {{0, 0, 400}});
  // In order: "same" before "sparse".
  Entries sorted;
  for (const std::size_t i : {0, 1, 2, 3, 4, 5, 6, 8, 7}) sorted.add(entries[i]);
  entries = std::move(sorted);
  return manifest;
}

Manifest changed_manifest() {
  Manifest manifest;
  manifest.root_mode = 0755;
  manifest.root_mtime = kTime + 1;
  manifest.packs = {{id('c'), 0, 700}, {id('b'), 0, 5000}};
  manifest.blocks = {block(1, 108, 50, 60, "three"), block(0, 8, 333, 333, "four"), block(1, 8, 100, 1000, "one")};
  Entries& entries = manifest.entries;
  add_directory(entries, "bin", 0755);
  add_file(entries, "bin/empty", 0600, {});
  add_file(entries, "bin/gcc", 0755, {{2, 0, 400}});
  add_file(entries, "bin/ld", 0755, {{1, 0, 333}});
  add_directory(entries, "new", 0700);
  add_directory(entries, "tmp", 01777);
  add_link(entries, EntryKind::symlink, "tmp/dangling", "/no/such \xff place");
  add_file(entries, "tmp/same", 0444, {{2, 0, 400}});
  add_file(entries, "tmp/sparse", 0444, {{kHole, 0, 1 << 20}, {0, 10, 20}, {kHole, 0, 5}, {0, 30, 30}});
  return manifest;
}

Manifest inline_manifest() {
  Manifest manifest;
  manifest.inline_bytes = noise(300, 1);
  manifest.blocks = {block(kInline, 0, 100, 100, "a"), block(kInline, 100, 200, 250, "b")};
  add_file(manifest.entries, "a", 0644, {{0, 0, 100}});
  add_file(manifest.entries, "b", 0644, {{1, 0, 250}});
  return manifest;
}

std::vector<std::byte> pack() {
  PackBuilder builder;
  std::vector<std::byte> text(500, std::byte{'x'});
  text[250] = std::byte{'y'};
  const std::vector<std::byte> random = noise(100, 2);
  const auto chunk = [](std::span<const std::byte> raw, std::uint32_t offset, std::uint32_t length) {
    return Chunk{util::sha256(raw.subspan(offset, length)), offset, length};
  };
  builder.add(*encode_block(text, 3), {chunk(text, 0, 200), chunk(text, 200, 300)});
  builder.add(*encode_block(random, 3), {chunk(random, 0, 100)});
  return builder.finish();
}

Generation generation(char digit, std::uint64_t bytes) {
  return {.id = id(digit),
          .saved = store::StoreTime(std::chrono::seconds(1'577'836'800)),
          .manifests = {{id(digit), 100, util::sha256(id(digit))}},
          .packs = {{id(digit), 0, bytes}},
          .unknown = {}};
}

Generation delta_on(const Generation& base, char digit) {
  Generation generation = sample::generation(digit);
  generation.manifests.insert(generation.manifests.end(), base.manifests.begin(), base.manifests.end());
  generation.packs.insert(generation.packs.end(), base.packs.begin(), base.packs.end());
  std::ranges::sort(generation.packs);
  return generation;
}

Head empty_head() {
  Head head;
  head.name = kName;
  head.epoch = id('e');
  head.serial = 1;
  head.nonce = id('1');
  return head;
}

Head head() {
  Head head = empty_head();
  head.name.app = "d\xc3\xa9mo/\xff";
  head.serial = UINT64_MAX;
  Generation first = generation('a');
  first.packs = {{id('a'), 0, 33'554'432}, {id('a'), 1, 33'554'000}, {id('a'), 5, 12}, {id('d'), 3, 9}};
  head.generations = {delta_on(first, 'b'), first};
  head.generations.front().unknown = R"({"colour":"red"})";
  head.aside = {generation('c')};
  head.pins = {id('a')};
  head.bad = {{id('e'), ObjectKind::pack, id('a'), 5}};
  head.trash = {{{id('e'), ObjectKind::manifest, id('9'), 0}, store::StoreTime(std::chrono::seconds(1'577'836'801))},
                {{id('0'), ObjectKind::pack, id('9'), 11}, std::nullopt}};
  head.swept = store::StoreTime(std::chrono::seconds(1'577'836'802));
  head.unknown = R"({"later":{"x":[1,2]},"more":null})";
  return head;
}

Proposal proposal(const Generation& generation, const std::string& base) {
  return {.generation = generation, .epoch = id('e'), .base = base, .cut = {}, .damaged = {}};
}

}  // namespace hearth::cache::sample
