// What a failed build left: saved aside, restored where somebody asks for it, dropped by the next success.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/engine_support.h"
#include "cache/generations/commit.h"
#include "cache/operator/verify.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

RestoreOptions from_failed() {
  RestoreOptions options;
  options.from = From::failed_first;
  return options;
}

class FailedGeneration : public ::testing::Test {
 protected:
  SaveReport save_failed(Machine& machine) {
    SaveOptions options;
    options.as = SaveAs::failed;
    return save(store_, kName, machine.directory(), machine.index(), options, {});
  }
  Head head() { return read_head(store_, *Layout::of(kName), {}).value().seen.head; }

  // A good generation, and one aside that differs from it by `failed`.
  void make_both(Machine& machine) {
    put_file(machine.directory() / "good", noise(3'000'000, 1));
    ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
    put_file(machine.directory() / "failed", noise(1'200'000, 2));
    ASSERT_EQ(save_failed(machine).outcome, SaveOutcome::saved);
  }

  store::MemoryStore store_;
};

TEST_F(FailedGeneration, IsNotRestoredUnlessSomebodyAsksForIt) {
  Machine machine(store_);
  put_file(machine.directory() / "good", noise(3'000'000, 1));
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  const Picture good = picture(machine.directory());
  put_file(machine.directory() / "failed", noise(1'200'000, 2));
  const Picture failed = picture(machine.directory());
  const SaveReport saved = save_failed(machine);
  EXPECT_EQ(saved.outcome, SaveOutcome::saved);
  EXPECT_LT(saved.uploaded_bytes, 1'400'000U) << "what is known is taken over";
  ASSERT_THAT(head().aside, SizeIs(1));
  EXPECT_TRUE(head().aside.front().failed);
  EXPECT_EQ(restored_picture(store_), good);
  Machine other(store_);
  const RestoreReport restored = other.restore(from_failed());
  EXPECT_EQ(restored.outcome, RestoreOutcome::hit);
  EXPECT_TRUE(restored.of_failed);
  EXPECT_EQ(restored.generation, saved.generation);
  EXPECT_EQ(picture(other.directory()), failed);
  EXPECT_EQ(verify(store_, kName, 0, {}).outcome, VerifyOutcome::sound);
}

TEST_F(FailedGeneration, WithoutOneTheNewestIsRestored) {
  Machine machine(store_);
  put_file(machine.directory() / "good", "content");
  const SaveReport saved = machine.save();
  Machine other(store_);
  const RestoreReport restored = other.restore(from_failed());
  EXPECT_EQ(restored.generation, saved.generation);
  EXPECT_EQ(restored.outcome, RestoreOutcome::hit);
  EXPECT_FALSE(restored.of_failed);
}

TEST_F(FailedGeneration, TheNextOneTakesItsPlace) {
  Machine machine(store_);
  make_both(machine);
  put_file(machine.directory() / "again", noise(100'000, 3));
  const SaveReport again = save_failed(machine);
  EXPECT_EQ(again.outcome, SaveOutcome::saved);
  ASSERT_THAT(head().aside, SizeIs(1));
  EXPECT_EQ(head().aside.front().id, again.generation);
  EXPECT_EQ(verify(store_, kName, 0, {}).outcome, VerifyOutcome::sound);
}

TEST_F(FailedGeneration, GoesWithASuccess) {
  Machine machine(store_);
  make_both(machine);
  Machine other(store_);
  other.restore();
  put_file(other.directory() / "more", "content");
  EXPECT_EQ(other.save().outcome, SaveOutcome::saved);
  EXPECT_THAT(head().aside, IsEmpty());
  EXPECT_THAT(head().generations, SizeIs(2));
}

TEST_F(FailedGeneration, GoesWithASuccessThatChangedNothing) {
  Machine machine(store_);
  make_both(machine);
  Machine other(store_);
  other.restore();
  EXPECT_EQ(other.save().outcome, SaveOutcome::unchanged);
  EXPECT_THAT(head().aside, IsEmpty());
  EXPECT_THAT(head().generations, SizeIs(1));
}

TEST_F(FailedGeneration, ComesInForceWhereABuildSucceedsWithIt) {
  Machine machine(store_);
  make_both(machine);
  Machine other(store_);
  other.restore(from_failed());
  const Picture failed = picture(other.directory());
  const SaveReport saved = other.save();
  EXPECT_EQ(saved.outcome, SaveOutcome::saved) << "though nothing changed";
  EXPECT_EQ(saved.read_bytes, 0U);
  EXPECT_THAT(head().aside, IsEmpty());
  EXPECT_EQ(restored_picture(store_), failed);
  EXPECT_EQ(verify(store_, kName, 0, {}).outcome, VerifyOutcome::sound);
}

TEST_F(FailedGeneration, IsNoBaseAnyMoreOnceItIsDropped) {
  Machine machine(store_);
  make_both(machine);
  Machine other(store_);
  other.restore(from_failed());
  Machine faster(store_);
  faster.restore();
  EXPECT_EQ(faster.save().outcome, SaveOutcome::unchanged);
  put_file(other.directory() / "more", "content");
  EXPECT_EQ(other.save().outcome, SaveOutcome::superseded);
}

TEST_F(FailedGeneration, ADamagedOneIsLeftOut) {
  support::FaultyStore faulty(store_);
  Machine machine(store_);
  make_both(machine);
  const Head now = head();
  const Generation& failed = now.aside.front();
  faulty.corrupt(Layout::of(kName)->key({now.epoch, ObjectKind::manifest, failed.id, 0}));
  Machine other(faulty);
  const RestoreReport restored = other.restore(from_failed());
  EXPECT_EQ(restored.outcome, RestoreOutcome::fallback);
  EXPECT_EQ(restored.generation, now.generations.front().id);
}

TEST_F(FailedGeneration, AFirstBuildThatFailsLeavesItAlone) {
  Machine machine(store_);
  put_file(machine.directory() / "failed", "content");
  EXPECT_EQ(save_failed(machine).outcome, SaveOutcome::saved);
  EXPECT_THAT(head().generations, IsEmpty());
  Machine other(store_);
  EXPECT_EQ(other.restore().outcome, RestoreOutcome::miss);
}

TEST_F(FailedGeneration, SetAsideIsWhatItSays) {
  Machine machine(store_);
  put_file(machine.directory() / "file", "1");
  const SaveReport first = machine.save();
  put_file(machine.directory() / "file", "22");
  const SaveReport second = machine.save();
  ASSERT_TRUE(set_aside(store_, kName, second.generation, {}));
  EXPECT_EQ(head().aside.front().id, second.generation);
  EXPECT_EQ(machine.restore_anew().generation, first.generation);
  EXPECT_TRUE(set_aside(store_, kName, second.generation, {})) << "it is aside already";
  EXPECT_TRUE(set_aside(store_, {.app = "absent", .stack = "s", .arch = "amd64"}, second.generation, {}));
  // A save that builds on it is dropped.
  put_file(machine.directory() / "file", "333");
  EXPECT_EQ(machine.save().outcome, SaveOutcome::saved) << "it was restored anew, from the first";
}

TEST_F(FailedGeneration, ASaveThatBuildsOnWhatIsSetAsideIsDropped) {
  Machine machine(store_);
  put_file(machine.directory() / "file", "1");
  const SaveReport first = machine.save();
  ASSERT_TRUE(set_aside(store_, kName, first.generation, {}));
  put_file(machine.directory() / "file", "22");
  EXPECT_EQ(machine.save().outcome, SaveOutcome::superseded);
}

}  // namespace
}  // namespace hearth::cache::testing
