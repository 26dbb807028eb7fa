// What a save learns of the content that its base holds, and what it makes of packs that are not what they should be.
#include "cache/packs/chunk_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/engine_support.h"
#include "cache/format/content_digest.h"
#include "cache/format/pack.h"
#include "cache/packs/pack_part.h"
#include "cache/packs/pack_search.h"
#include "store/forwarding.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::byte> content(std::uint32_t pack) {
  return std::vector<std::byte>(5'000, static_cast<std::byte>(pack + 1));
}

// A manifest of some packs of one file each.
class ChunkIndexOf : public ::testing::Test {
 protected:
  void fill(std::uint32_t packs) {
    for (std::uint32_t number = 0; number < packs; ++number) {
      const std::vector<std::byte> raw = content(number);
      const EncodedBlock block = *encode_block(raw, kDefaultCompressionLevel);
      PackBuilder builder;
      const std::uint64_t offset =
          builder.add(block, {Chunk{content_digest(raw), 0, static_cast<std::uint32_t>(raw.size())}});
      const std::vector<std::byte> bytes = builder.finish();
      ASSERT_TRUE(memory_.put(key(number), std::span(bytes), store::Condition::none(), {}));
      manifest_.packs.push_back({save_, number, bytes.size()});
      manifest_.blocks.push_back(block.block);
      manifest_.blocks.back().pack = number;
      manifest_.blocks.back().offset = offset;
      add_file(fmt::format("file{}", number), {number, 0, raw.size()});
    }
  }

  void add_file(const std::string& path, const Extent& extent) {
    manifest_.entries.add(
        {.path = path, .mode = 0644, .size = extent.length, .target = {}, .extents = std::span(&extent, 1)});
  }

  ObjectName name(std::uint32_t number) const { return {epoch_, ObjectKind::pack, save_, number}; }
  store::Key key(std::uint32_t number) const { return layout_.key(name(number)); }

  std::expected<ChunkIndex, ChunkIndex::Failure> load(store::ObjectStore& store) {
    return ChunkIndex::load(store, layout_, epoch_, manifest_, std::vector<bool>(manifest_.packs.size(), true), {});
  }

  static std::optional<Extent> find(const ChunkIndex& index, std::uint32_t number) {
    const std::vector<std::byte> raw = content(number);
    return index.find(content_digest(raw), raw.size(), std::nullopt);
  }

  const std::string epoch_ = new_id();
  const std::string save_ = new_id();
  const Layout layout_ = Layout::of(kName).value();
  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Manifest manifest_;
};

TEST_F(ChunkIndexOf, KnowsWhereContentLies) {
  fill(3);
  ASSERT_TRUE(check(manifest_)) << check(manifest_).error().message;
  const auto index = load(store_);
  ASSERT_TRUE(index) << index.error().error.message;
  for (std::uint32_t number = 0; number < 3; ++number) EXPECT_EQ(find(*index, number), (Extent{number, 0, 5'000}));
  EXPECT_EQ(find(*index, 3), std::nullopt);
}

TEST_F(ChunkIndexOf, AllDamagedPacksAreToldAtOnce) {
  fill(6);
  store_.hide(key(1));
  store_.corrupt(key(3), manifest_.packs[3].bytes - 1);
  store_.truncate(key(4), 20);
  const auto index = load(store_);
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().error.kind, ErrorKind::corrupt);
  EXPECT_THAT(index.error().damaged, ElementsAre(Field(&ChunkIndex::DamagedPack::pack, name(1)),
                                                 Field(&ChunkIndex::DamagedPack::pack, name(3)),
                                                 Field(&ChunkIndex::DamagedPack::pack, name(4))));
  for (const ChunkIndex::DamagedPack& one : index.error().damaged) {
    EXPECT_THAT(one.problem, HasSubstr(one.pack.text()));
  }
}

TEST_F(ChunkIndexOf, AStoreThatFailsIsNoDamage) {
  fill(3);
  store_.hide(key(1));
  for (const ErrorKind kind : {ErrorKind::unavailable, ErrorKind::denied, ErrorKind::invalid}) {
    store_.refuse(support::Verb::get, kind);
    const auto index = load(store_);
    ASSERT_FALSE(index);
    EXPECT_EQ(index.error().error.kind, kind);
    EXPECT_THAT(index.error().damaged, IsEmpty());
  }
}

// Content that would lie outside of the block that the manifest speaks of is not taken over.
TEST_F(ChunkIndexOf, ATrailerThatDisagreesAboutTheSizesIsDamage) {
  fill(2);
  manifest_.blocks[1].raw_bytes = 1'000;
  const auto index = load(store_);
  ASSERT_FALSE(index);
  EXPECT_THAT(index.error().damaged, ElementsAre(Field(&ChunkIndex::DamagedPack::pack, name(1))));
}

TEST_F(ChunkIndexOf, AnInlineBlockThatDoesNotUnpackIsUnknown) {
  for (std::uint32_t number = 0; number < 3; ++number) {
    const EncodedBlock block = *encode_block(content(number), kDefaultCompressionLevel);
    manifest_.blocks.push_back(block.block);
    manifest_.blocks.back().pack = kInline;
    manifest_.blocks.back().offset = manifest_.inline_bytes.size();
    manifest_.inline_bytes.insert(manifest_.inline_bytes.end(), block.stored.begin(), block.stored.end());
    add_file(fmt::format("file{}", number), {number, 0, 5'000});
  }
  manifest_.inline_bytes[manifest_.blocks[1].offset] ^= std::byte{1};
  const auto index = load(store_);
  ASSERT_TRUE(index) << index.error().error.message;
  EXPECT_EQ(find(*index, 0), (Extent{0, 0, 5'000}));
  EXPECT_EQ(find(*index, 1), std::nullopt);
  EXPECT_EQ(find(*index, 2), (Extent{2, 0, 5'000}));
}

// As behind a proxy that returns whole objects: what begins at 0 comes, and nothing else.
class WithoutRanges : public store::Forwarding {
 public:
  WithoutRanges(store::ObjectStore& inner, ErrorKind kind)
      : Forwarding(std::shared_ptr<store::ObjectStore>(std::shared_ptr<void>(), &inner)), kind_(kind) {}

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override {
    if (range.offset > 0) return fail(kind_, "the server does not honour ranges");
    return inner().get(key, range, std::move(stop));
  }

 private:
  const ErrorKind kind_;
};

TEST_F(ChunkIndexOf, ARangeThatIsRefusedIsNoDamage) {
  fill(3);
  for (const ErrorKind kind : {ErrorKind::unavailable, ErrorKind::invalid}) {
    WithoutRanges proxy(memory_, kind);
    const Block& block = manifest_.blocks[0];
    const auto part = fetch_part(proxy, key(0), manifest_.packs[0].bytes, {block.offset, block.stored_bytes}, {});
    ASSERT_FALSE(part);
    EXPECT_EQ(part.error().kind, kind);
  }
  store_.truncate(key(0), 4);
  EXPECT_EQ(fetch_part(store_, key(0), manifest_.packs[0].bytes, {5, 1}, {}).error().kind, ErrorKind::corrupt);
  store_.hide(key(0));
  EXPECT_EQ(fetch_part(store_, key(0), manifest_.packs[0].bytes, {5, 1}, {}).error().kind, ErrorKind::not_found);
}

// The whole way: neither a restore nor a save behind such a proxy calls anything bad for those who have none.
TEST(BehindAProxyWithoutRanges, NothingIsDamaged) {
  store::MemoryStore memory;
  Machine machine(memory);
  make_plain_tree(machine.directory(), 40, 100'000);
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  const Picture tree = picture(machine.directory());
  for (const ErrorKind kind : {ErrorKind::unavailable, ErrorKind::invalid}) {
    WithoutRanges proxy(memory, kind);
    Machine behind(proxy);
    EXPECT_EQ(behind.restore().outcome, RestoreOutcome::unavailable);
    make_plain_tree(behind.directory(), 40, 100'000, 2);
    // It would have to know what the packs hold.
    EXPECT_EQ(behind.save().outcome, SaveOutcome::failed);
    put_file(machine.directory() / "more", fmt::format("{}", static_cast<int>(kind)));
    ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
    Machine fresh(memory);
    EXPECT_EQ(fresh.restore().outcome, RestoreOutcome::hit);
    EXPECT_THAT(picture(fresh.directory()), SizeIs(tree.size() + 1));
  }
}

TEST(AStoreThatRefusesAllPacks, IsNoDamageForAVerification) {
  store::MemoryStore memory;
  support::FaultyStore store(memory);
  Machine machine(memory);
  make_plain_tree(machine.directory(), 40, 100'000);
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  const Layout layout = Layout::of(kName).value();
  Generation generation;
  for (const store::Key& key : objects_of(memory)) {
    const ObjectName object = layout.parse(key).value();
    if (object.kind != ObjectKind::pack) continue;
    generation.packs.push_back({object.save, object.number, memory.stat(key, {})->size});
  }
  ASSERT_FALSE(generation.packs.empty());
  store.refuse(support::Verb::get, ErrorKind::invalid);
  const std::stop_token stop;
  PackSearch search(store, layout, new_id(), 1, stop);
  const Result<void> looked = search.look_at_packs({generation});
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace hearth::cache::testing
