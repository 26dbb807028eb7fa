#include "cache/operator/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/crash.h"
#include "cache/format/content_digest.h"
#include "cache/format/pack.h"
#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"
#include "cache/restore/block_recovery.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Stretches, AreUnions) {
  Stretches stretches;
  EXPECT_FALSE(stretches.contains(0, 1));
  stretches.add(10, 10);
  stretches.add(30, 10);
  EXPECT_TRUE(stretches.contains(12, 8));
  EXPECT_FALSE(stretches.contains(12, 9));
  EXPECT_FALSE(stretches.contains(9, 2));
  EXPECT_FALSE(stretches.contains(20, 1));
  EXPECT_EQ(stretches.place_of(10), 0U);
  EXPECT_EQ(stretches.place_of(19), 9U);
  EXPECT_EQ(stretches.place_of(30), 10U);
  stretches.add(20, 10);
  EXPECT_THAT(stretches.all(), ElementsAre(std::pair(10U, 40U)));
  stretches.add(5, 50);
  EXPECT_THAT(stretches.all(), ElementsAre(std::pair(5U, 55U)));
  EXPECT_EQ(stretches.place_of(30), 25U);
}

class Repair : public ::testing::Test {
 protected:
  std::string save() {
    const SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved) << ::testing::PrintToString(report.warnings);
    return report.generation;
  }
  // Compressible and not, in several blocks of one pack.
  void fill() {
    make_plain_tree(machine_.directory() / "noise", 10, 150'000, 1);
    for (int i = 0; i < 10; ++i) {
      put_file(machine_.directory() / fmt::format("text/{}", i), std::string(20'000, static_cast<char>('a' + i)));
    }
  }
  RepairReport mend() { return repair(store_, kDemo, machine_.directory(), 2, {}); }
  Head head() { return read_head(memory_, layout_, {}).value().seen.head; }
  std::vector<store::Key> packs() {
    std::vector<store::Key> keys = objects_of(memory_);
    std::erase_if(keys, [](const store::Key& key) { return !key.text().contains("/pack/"); });
    return keys;
  }
  std::vector<std::byte> bytes_of(const store::Key& key) { return memory_.get(key, {}, {}).value().bytes; }
  void put(const store::Key& key, const std::vector<std::byte>& bytes) {
    ASSERT_TRUE(memory_.put(key, std::span(bytes), store::Condition::none(), {}));
  }
  // In its first block.
  void damage(const store::Key& key) {
    std::vector<std::byte> bytes = bytes_of(key);
    bytes[100] ^= std::byte{1};
    put(key, bytes);
  }
  RepairReport mend_with(store::ObjectStore& store) { return repair(store, kDemo, machine_.directory(), 1, {}); }
  // With the index where a repair looks for it.
  SaveOutcome save_beside(const Machine& machine) {
    return cache::save(memory_, kDemo, machine.directory(), index_path(machine.directory()), {}, {}).outcome;
  }

  void expect_mended(const RepairReport& report, const Picture& tree) {
    EXPECT_EQ(report.outcome, VerifyOutcome::sound);
    EXPECT_THAT(report.left, IsEmpty());
    EXPECT_FALSE(report.mended.empty());
    EXPECT_EQ(verify(memory_, kDemo, 1, {}).outcome, VerifyOutcome::sound);
    EXPECT_THAT(head().bad, IsEmpty());
    Machine fresh(memory_);
    EXPECT_EQ(fresh.restore().outcome, RestoreOutcome::hit);
    EXPECT_EQ(picture(fresh.directory()), tree);
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{memory_};
  const Layout layout_ = Layout::of(kDemo).value();
};

TEST_F(Repair, WhatIsSoundStaysAsItIs) {
  EXPECT_EQ(mend().outcome, VerifyOutcome::absent);
  fill();
  save();
  const Head before = head();
  const RepairReport report = mend();
  EXPECT_EQ(report.outcome, VerifyOutcome::sound);
  EXPECT_THAT(report.mended, IsEmpty());
  EXPECT_THAT(report.damaged_objects, IsEmpty());
  EXPECT_EQ(report.uploaded, Stored());
  EXPECT_EQ(head(), before);
}

TEST_F(Repair, ADamagedBlockIsMadeAnew) {
  fill();
  const std::string generation = save();
  const Picture tree = picture(machine_.directory());
  const Head before = head();
  damage(packs().front());
  const std::set<store::Key> objects = [&] {
    const std::vector<store::Key> keys = objects_of(memory_);
    return std::set<store::Key>(keys.begin(), keys.end());
  }();
  const RepairReport report = mend();
  ASSERT_THAT(report.mended, SizeIs(1));
  EXPECT_EQ(report.mended[0].id, generation);
  EXPECT_EQ(report.mended[0].now, head().generations.front().id);
  EXPECT_EQ(head().generations.front().saved, before.generations.front().saved);
  EXPECT_THAT(report.damaged_objects, SizeIs(1));
  Stored uploaded;
  for (const store::Key& key : objects_of(memory_)) {
    if (!objects.contains(key)) uploaded.add(bytes_of(key).size());
  }
  EXPECT_EQ(report.uploaded, uploaded);
  expect_mended(report, tree);
}

TEST_F(Repair, AMissingPackIsMadeAnew) {
  fill();
  save();
  const Picture tree = picture(machine_.directory());
  for (const store::Key& key : packs()) ASSERT_TRUE(memory_.remove(key, {}));
  expect_mended(mend(), tree);
}

TEST_F(Repair, ACutPackIsMadeAnew) {
  fill();
  save();
  const Picture tree = picture(machine_.directory());
  std::vector<std::byte> bytes = bytes_of(packs().front());
  bytes.resize(bytes.size() / 2);
  put(packs().front(), bytes);
  expect_mended(mend(), tree);
}

// What only HEAD calls bad is nevertheless never restored.
TEST_F(Repair, WhatIsOnlyCalledBadIsMadeAnew) {
  fill();
  save();
  const Picture tree = picture(machine_.directory());
  const std::vector<ObjectName> objects = objects_of(head(), head().generations.front());
  const Transition mark = [&](const Seen& seen) -> Result<std::optional<Head>> {
    return swept(seen, {.objects = {}, .taken = seen.now, .gone = objects});
  };
  ASSERT_TRUE(update_head(memory_, layout_, mark, {}));
  EXPECT_EQ(Machine(memory_).restore().outcome, RestoreOutcome::damaged);
  expect_mended(mend(), tree);
}

TEST_F(Repair, AllGenerationsThatShareADamagedPack) {
  fill();
  const std::string first = save();
  const Picture before = picture(machine_.directory());
  put_file(machine_.directory() / "more", noise(300'000, 7));
  const std::string second = save();
  const Picture tree = picture(machine_.directory());
  for (const store::Key& key : packs()) {
    if (!key.text().contains(first)) continue;
    ASSERT_TRUE(memory_.remove(key, {}));
  }
  const RepairReport report = mend();
  ASSERT_THAT(report.mended, SizeIs(2));
  EXPECT_EQ(report.mended[0].id, second);
  EXPECT_EQ(report.mended[1].id, first);
  expect_mended(report, tree);
  ASSERT_THAT(head().generations, SizeIs(2));
  EXPECT_EQ(head().generations[1].id, report.mended[1].now);
  // The older one, too.
  const Transition back = [&](const Seen& seen) -> Result<std::optional<Head>> {
    return TRY(rolled_back(seen, report.mended[1].now));
  };
  ASSERT_TRUE(update_head(memory_, layout_, back, {}));
  EXPECT_EQ(restored_picture(memory_), before);
}

// Nothing but what a digest proves is taken, wherever it lies.
TEST_F(Repair, ContentIsFoundAtAnotherPlace) {
  fill();
  put_file(machine_.directory() / "large", noise(3'000'000, 99));
  save();
  const Picture tree = picture(machine_.directory());
  damage(packs().front());
  Machine elsewhere(memory_);
  fs::create_directories(elsewhere.directory() / "deep");
  fs::copy(machine_.directory(), elsewhere.directory() / "deep/inside", fs::copy_options::recursive);
  const RepairReport report = repair(store_, kDemo, elsewhere.directory(), 1, {});
  expect_mended(report, tree);
}

TEST_F(Repair, AnotherFileOfTheSameNameAndSizeIsNotTaken) {
  fill();
  const std::string generation = save();
  const Head before = head();
  Machine other(memory_);
  fs::copy(machine_.directory(), other.directory(), fs::copy_options::recursive);
  put_file(other.directory() / "noise/dir0/file0", noise(150'000, 12345));
  put_file(other.directory() / "text/3", std::string(20'000, '!'));
  damage(packs().front());
  for (const bool missing : {false, true}) {
    if (missing) {
      ASSERT_TRUE(memory_.remove(packs().front(), {}));
    }
    const RepairReport report = repair(store_, kDemo, other.directory(), 1, {});
    EXPECT_EQ(report.outcome, VerifyOutcome::damaged);
    EXPECT_THAT(report.mended, IsEmpty());
    ASSERT_THAT(report.left, SizeIs(1));
    EXPECT_EQ(report.left[0].id, generation);
    EXPECT_FALSE(report.left[0].whole);
    EXPECT_FALSE(report.left[0].files.empty());
    // Nothing is uploaded for what does not become whole.
    EXPECT_EQ(report.uploaded, Stored());
    EXPECT_EQ(head(), before);
  }
}

// Part of a block of the missing pack is dead, so that its digest proves nothing; the index beside the directory does.
TEST_F(Repair, TheIndexProvesWhatNoDigestDoes) {
  Machine local(memory_);
  make_plain_tree(local.directory() / "noise", 10, 150'000, 1);
  ASSERT_EQ(save_beside(local), SaveOutcome::saved);
  put_file(local.directory() / "noise/dir0/file0", noise(1000, 5));
  ASSERT_EQ(save_beside(local), SaveOutcome::saved);
  const Picture tree = picture(local.directory());
  for (const store::Key& key : packs()) ASSERT_TRUE(memory_.remove(key, {}));
  RepairReport report = repair(store_, kDemo, local.directory(), 1, {});
  EXPECT_EQ(report.outcome, VerifyOutcome::damaged);  // the first generation has what is gone from here
  ASSERT_THAT(report.mended, SizeIs(1));
  Machine fresh(memory_);
  EXPECT_EQ(fresh.restore().outcome, RestoreOutcome::hit);
  EXPECT_EQ(picture(fresh.directory()), tree);
}

// Somebody who writes into the store made a manifest that calls a block of the pack smaller than its trailer does. What
// lies in the block by the trailer, and in the directory, has no place in the block by the manifest.
TEST_F(Repair, ATrailerOfALargerBlockIsNotFollowed) {
  constexpr std::size_t kTold = 1'000;
  const std::string content(100'000, 'x');
  put_file(machine_.directory() / "file", content);
  const std::vector<std::byte> raw(content.size(), std::byte{'x'});
  const EncodedBlock block = *encode_block(raw, kDefaultCompressionLevel);
  PackBuilder builder;
  builder.add(block, {Chunk{content_digest(raw), 0, static_cast<std::uint32_t>(raw.size())}});
  std::vector<std::byte> pack = builder.finish();
  pack.front() ^= std::byte{1};

  const HeadRead opened = *open_head(memory_, layout_, {});
  const std::string save = new_id();
  Manifest manifest;
  manifest.packs = {{save, 0, pack.size()}};
  manifest.blocks = {block.block};
  manifest.blocks[0].offset = 8;
  manifest.blocks[0].raw_bytes = kTold;
  ASSERT_LT(block.block.stored_bytes, kTold);
  const Extent extent{0, 0, kTold};
  manifest.entries.add({.path = "file", .mode = 0644, .size = kTold, .target = {}, .extents = std::span(&extent, 1)});
  const StoredManifest stored = *store_manifest(memory_, layout_, opened.seen, save, manifest, std::nullopt, {});
  put(layout_.key({opened.seen.head.epoch, ObjectKind::pack, save, 0}), pack);
  const Proposal proposal{.generation = stored.generation,
                          .epoch = opened.seen.head.epoch,
                          .base = {},
                          .cut = {},
                          .damaged = {},
                          .place = Place::in_force};
  ASSERT_EQ(commit(memory_, layout_, opened, proposal, {})->outcome, CommitOutcome::committed);

  const RepairReport report = mend();
  EXPECT_EQ(report.outcome, VerifyOutcome::damaged);
  ASSERT_THAT(report.left, SizeIs(1));
  EXPECT_THAT(report.left[0].files, ElementsAre("file"));
}

TEST_F(Repair, AManifestIsNotMended) {
  fill();
  const std::string generation = save();
  ASSERT_TRUE(memory_.remove(layout_.key({head().epoch, ObjectKind::manifest, generation, 0}), {}));
  const RepairReport report = mend();
  EXPECT_EQ(report.outcome, VerifyOutcome::damaged);
  ASSERT_THAT(report.left, SizeIs(1));
  EXPECT_TRUE(report.left[0].whole);
  EXPECT_THAT(report.damaged_objects, SizeIs(1));
}

TEST_F(Repair, ADamagedHeadIsSaid) {
  fill();
  save();
  put(layout_.head(), std::vector<std::byte>(10));
  const RepairReport report = mend();
  EXPECT_EQ(report.outcome, VerifyOutcome::damaged);
  ASSERT_THAT(report.damaged_objects, SizeIs(1));
  EXPECT_EQ(report.damaged_objects[0].object, "HEAD");
}

TEST_F(Repair, ASaveOnTheDamagedGenerationIsDropped) {
  fill();
  save();
  damage(packs().front());
  bool done = false;
  store_.before_each([&](const support::Operation& operation) {
    if (operation.verb != support::Verb::put || !operation.key.contains("/HEAD.") || std::exchange(done, true)) return;
    EXPECT_EQ(mend_with(memory_).outcome, VerifyOutcome::sound);
  });
  Machine saver(store_);
  fs::copy(machine_.directory(), saver.directory(), fs::copy_options::recursive);
  put_file(saver.directory() / "more", "x");
  EXPECT_EQ(saver.save().outcome, SaveOutcome::superseded);
  EXPECT_TRUE(done);
  EXPECT_EQ(verify(memory_, kDemo, 1, {}).outcome, VerifyOutcome::sound);
}

TEST_F(Repair, AStoreThatFailsIsNoDamage) {
  fill();
  save();
  damage(packs().front());
  const Head before = head();
  store_.refuse(support::Verb::put, ErrorKind::unavailable);
  const RepairReport report = mend();
  EXPECT_EQ(report.outcome, VerifyOutcome::unavailable);
  EXPECT_EQ(report.error->kind, ErrorKind::unavailable);
  EXPECT_EQ(head(), before);
}

TEST(RepairCrash, AtEveryStep) {
  Picture tree;
  const auto prepare = [&](Crashed& crashed) {
    make_plain_tree(crashed.machine.directory(), 10, 150'000, 1);
    crashed.save();
    tree = picture(crashed.machine.directory());
    for (const store::Key& key : objects_of(crashed.memory)) {
      if (!key.text().contains("/pack/")) continue;
      std::vector<std::byte> bytes = crashed.memory.get(key, {}, {}).value().bytes;
      bytes[100] ^= std::byte{1};
      ASSERT_TRUE(crashed.memory.put(key, std::span<const std::byte>(bytes), store::Condition::none(), {}));
    }
  };
  for (const support::LastMutation last : {support::LastMutation::lost, support::LastMutation::unacknowledged}) {
    for (std::uint64_t survivors = 0;; ++survivors) {
      SCOPED_TRACE(survivors);
      ASSERT_LT(survivors, 20U);
      Crashed crashed;
      prepare(crashed);
      const std::string damaged = crashed.head().generations.front().id;
      crashed.store.die_after(survivors, last);
      const RepairReport report = repair(crashed.store, kDemo, crashed.machine.directory(), 1, {});
      const bool died = crashed.store.dead();
      crashed.store.revive();
      EXPECT_EQ(report.outcome == VerifyOutcome::sound, !died);
      // HEAD is as it was, or names what is whole.
      const bool mended = crashed.head().generations.front().id != damaged;
      EXPECT_EQ(verify(crashed.memory, kDemo, 1, {}).outcome, mended ? VerifyOutcome::sound : VerifyOutcome::damaged);
      EXPECT_EQ(repair(crashed.store, kDemo, crashed.machine.directory(), 1, {}).outcome, VerifyOutcome::sound);
      EXPECT_EQ(restored_picture(crashed.memory), tree);
      EXPECT_EQ(verify(crashed.memory, kDemo, 1, {}).outcome, VerifyOutcome::sound);
      if (died) continue;
      EXPECT_GE(survivors, 3U);  // a pack, a manifest, HEAD
      break;
    }
  }
}

}  // namespace
}  // namespace hearth::cache::testing
