#include "cache/generations/manifest_store.h"

#include <gmock/gmock.h>

#include "cache/format/bytes.h"
#include "cache/format_samples.h"
#include "store/memory_store.h"

namespace hearth::cache {
namespace {

class ManifestStore : public testing::Test {
 protected:
  // Many entries, so that a delta is worth it; `changed` of them have another mode and time.
  static Manifest large(int changed, std::uint32_t packs = 16) {
    Manifest manifest = sample::manifest();
    manifest.entries = {};
    for (auto pack = static_cast<std::uint32_t>(manifest.packs.size()); pack < packs; ++pack) {
      manifest.packs.push_back({sample::id('f'), pack, 1000});
      manifest.blocks.push_back(manifest.blocks.front());
      manifest.blocks.back().pack = pack;
    }
    const std::vector<Extent> extents = {{0, 0, 400}, {1, 0, 100}, {2, 0, 10}};
    for (int i = 0; i < 500; ++i) {
      manifest.entries.add({.path = fmt::format("file-{:05}", i * 7919 % 100'000 + i * 100'000),
                            .mode = static_cast<std::uint16_t>(i < changed ? 0755 : 0644),
                            .mtime = i < changed ? i * 1'000'003 : i * 999'983,
                            .size = 510,
                            .target = {},
                            .extents = extents});
    }
    return sorted(std::move(manifest));
  }

  static Manifest sorted(Manifest manifest) {
    std::map<std::string, std::size_t> order;
    for (std::size_t i = 0; i < manifest.entries.size(); ++i) order[manifest.entries[i].path.text()] = i;
    Entries entries;
    for (const auto& [path, index] : order) entries.add(manifest.entries[index]);
    manifest.entries = std::move(entries);
    return manifest;
  }

  Generation save(char digit, const Manifest& manifest, const std::optional<DeltaBase>& base = {}) {
    const auto stored = store_manifest(memory_, layout_, opened_, sample::id(digit), manifest, base, {});
    EXPECT_TRUE(stored) << stored.error().message;
    opened_.head.generations.insert(opened_.head.generations.begin(), stored->generation);
    return stored->generation;
  }

  std::expected<LoadedManifest, LoadFailure> load(const Generation& generation) {
    return load_manifest(memory_, layout_, opened_.head, generation, {});
  }

  store::Key key(char digit) const {
    return layout_.key({sample::id('e'), ObjectKind::manifest, sample::id(digit), 0});
  }

  store::MemoryStore memory_;
  const Layout layout_ = *Layout::of(sample::kName);
  Seen opened_{.head = sample::empty_head(), .written = {}, .now = memory_.now()};
};

TEST_F(ManifestStore, ChainsAtMostFourAndFewerWhereThereIsLittle) {
  const auto chains = [this](std::uint32_t packs) {
    Manifest base = large(0, packs);
    Generation generation = save('a', base);
    std::vector<std::size_t> links;
    for (int i = 0; i < 5; ++i) {
      const Manifest next = large(i + 1, packs);
      const Generation later = save("bcdf1" [i], next, DeltaBase { generation, base });
      links.push_back(later.manifests.size());
      const auto loaded = load(later);
      EXPECT_TRUE(loaded && loaded->manifest == next);
      generation = later;
      base = next;
    }
    return links;
  };
  EXPECT_EQ(chains(16), (std::vector<std::size_t>{2, 3, 4, 1, 2}));
  EXPECT_EQ(chains(2), (std::vector<std::size_t>{2, 1, 2, 1, 2}));
}

TEST_F(ManifestStore, StoresInFullWhatADeltaIsNotWorthOrMayNotBe) {
  const Manifest base = large(0);
  const Generation generation = save('a', base);
  EXPECT_EQ(save('b', large(500), DeltaBase{generation, base}).manifests.size(), 1U);
  EXPECT_EQ(save('c', sample::inline_manifest(), DeltaBase{generation, base}).manifests.size(), 1U);
  opened_.head.bad = {{sample::id('e'), ObjectKind::manifest, sample::id('a'), 0}};
  EXPECT_EQ(save('d', large(1), DeltaBase{generation, base}).manifests.size(), 1U);
}

TEST_F(ManifestStore, RefusesToStoreWhatBreaksTheRules) {
  Manifest manifest = sample::manifest();
  manifest.blocks.clear();
  const auto stored = store_manifest(memory_, layout_, opened_, sample::id('a'), manifest, std::nullopt, {});
  EXPECT_EQ(stored.error().kind, ErrorKind::invalid);
  EXPECT_FALSE(memory_.stat(key('a'), {}));
}

TEST_F(ManifestStore, TellsWhichObjectIsDamagedOrGone) {
  const Manifest base = large(0);
  const Generation first = save('a', base);
  const Generation second = save('b', large(1), DeltaBase{first, base});
  ASSERT_EQ(second.manifests.size(), 2U);
  auto bytes = memory_.get(key('a'), {}, {})->bytes;
  bytes[bytes.size() / 2] ^= std::byte{1};
  ASSERT_TRUE(memory_.put(key('a'), std::span<const std::byte>(bytes), store::Condition::none(), {}));
  auto loaded = load(second);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().error.kind, ErrorKind::corrupt);
  EXPECT_EQ(loaded.error().damaged->save, sample::id('a'));
  ASSERT_TRUE(memory_.remove(key('a'), {}));
  loaded = load(second);
  EXPECT_EQ(loaded.error().error.kind, ErrorKind::not_found);
  EXPECT_EQ(loaded.error().damaged->save, sample::id('a'));
}

TEST_F(ManifestStore, RefusesAManifestThatUsesPacksThatHeadDoesNotName) {
  Generation generation = save('a', large(0));
  generation.packs.pop_back();
  EXPECT_EQ(load(generation).error().error.kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace hearth::cache
