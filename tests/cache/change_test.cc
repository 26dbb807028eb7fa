#include "cache/operator/change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/crash.h"
#include "cache/generations/commit.h"

namespace hearth::cache::testing {
namespace {

using support::LastMutation;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three generations of one cache, "0" being the newest.
class Change : public ::testing::Test {
 protected:
  Change() {
    for (int i = 0; i < 3; ++i) save(i);
  }

  void save(int number) {
    put_file(machine_.directory() / fmt::format("file{}", number), "content");
    const SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved);
    ids_.insert(ids_.begin(), report.generation);
    pictures_.insert(pictures_.begin(), picture(machine_.directory()));
  }

  Head head() { return read_head(memory_, layout_, {}).value().seen.head; }
  std::vector<std::string> in_force() {
    std::vector<std::string> ids;
    for (const Generation& generation : head().generations) ids.push_back(generation.id);
    return ids;
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{memory_};
  const Layout layout_ = Layout::of(kDemo).value();
  std::vector<std::string> ids_;
  std::vector<Picture> pictures_;
};

TEST_F(Change, ARollbackIsRestoredByTheNextBuild) {
  const Result<RollbackReport> rehearsed = roll_back(store_, layout_, "1", Rehearse::yes, {});
  ASSERT_TRUE(rehearsed);
  EXPECT_THAT(in_force(), ElementsAre(ids_[0], ids_[1], ids_[2]));
  const Result<RollbackReport> report = roll_back(store_, layout_, "1", Rehearse::no, {});
  ASSERT_TRUE(report) << report.error().message;
  for (const RollbackReport& one : {*rehearsed, *report}) {
    EXPECT_EQ(one.generation, ids_[1]);
    EXPECT_THAT(one.aside, ElementsAre(ids_[0]));
  }
  EXPECT_THAT(in_force(), ElementsAre(ids_[1], ids_[2]));
  EXPECT_EQ(restored_picture(memory_), pictures_[1]);
  // The machine that saved what was rolled back does not bring it back.
  put_file(machine_.directory() / "more", "x");
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::superseded);
  EXPECT_EQ(machine_.restore_anew().generation, ids_[1]);
  put_file(machine_.directory() / "more", "x");
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::saved);
}

TEST_F(Change, ARollbackToTheNewestIsDoneAlready) {
  const std::string nonce = head().nonce;
  const Result<RollbackReport> report = roll_back(store_, layout_, ids_[0], Rehearse::no, {});
  ASSERT_TRUE(report);
  EXPECT_THAT(report->aside, IsEmpty());
  EXPECT_EQ(head().nonce, nonce);
}

TEST_F(Change, WhatIsNotThereIsSaid) {
  EXPECT_EQ(roll_back(store_, layout_, "3", Rehearse::no, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(roll_back(store_, layout_, std::string(16, '0'), Rehearse::no, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(pin(store_, layout_, "-1", {}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(unpin(store_, layout_, std::string(16, '0'), {}).error().kind, ErrorKind::not_found);
  const Layout other = Layout::of({.app = "nobody", .stack = "s", .arch = "a"}).value();
  EXPECT_EQ(pin(store_, other, "0", {}).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(roll_back(store_, layout_, "2", Rehearse::no, {}));
  EXPECT_EQ(roll_back(store_, layout_, ids_[0], Rehearse::no, {}).error().kind, ErrorKind::not_found);
}

TEST_F(Change, APinnedGenerationStaysUntilItIsUnpinned) {
  Result<PinReport> report = pin(store_, layout_, "2", {});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->changed);
  EXPECT_THAT(report->pins, ElementsAre(ids_[2]));
  const std::string pinned = ids_[2];
  for (int i = 3; i < 8; ++i) save(i);
  EXPECT_THAT(in_force(), ElementsAre(ids_[0], ids_[1], ids_[2], pinned));
  EXPECT_FALSE(pin(store_, layout_, pinned, {})->changed);
  ASSERT_TRUE(roll_back(store_, layout_, pinned, Rehearse::no, {}));
  EXPECT_EQ(restored_picture(memory_), pictures_.back());
  report = unpin(store_, layout_, "0", {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->generation, pinned);
  EXPECT_THAT(report->pins, IsEmpty());
  const Result<PinReport> again = unpin(store_, layout_, pinned, {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
}

TEST_F(Change, WhatIsPinnedAndAsideIsUnpinnedByItsId) {
  ASSERT_TRUE(pin(store_, layout_, "0", {}));
  ASSERT_TRUE(roll_back(store_, layout_, "1", Rehearse::no, {}));
  EXPECT_EQ(head().aside.front().id, ids_[0]);
  EXPECT_TRUE(unpin(store_, layout_, ids_[0], {})->changed);
  EXPECT_THAT(head().pins, IsEmpty());
}

// The number is looked up once: what is committed between the look and the write does not change what it means.
TEST_F(Change, ASaveInBetweenDoesNotChangeWhatANumberMeans) {
  bool done = false;
  store_.before_each([&](const support::Operation& operation) {
    if (operation.verb == support::Verb::put && !std::exchange(done, true)) save(3);
  });
  const std::vector<std::string> before = ids_;
  const Result<RollbackReport> report = roll_back(store_, layout_, "1", Rehearse::no, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(done);
  EXPECT_EQ(report->generation, before[1]);
  EXPECT_EQ(in_force().front(), before[1]);
  EXPECT_THAT(report->aside, ::testing::UnorderedElementsAre(ids_[0], before[0]));
}

}  // namespace

// Each operator's verb, with its put lost or unanswered.
TEST(ChangeCrash, OfAPinAndOfARollback) {
  std::string oldest;
  const auto prepare = [&](Crashed& crashed) {
    put_file(crashed.machine.directory() / "first", "1");
    crashed.save();
    oldest = crashed.head().generations.front().id;
    const Picture first = picture(crashed.machine.directory());
    put_file(crashed.machine.directory() / "second", "2");
    crashed.save();
    crashed.possible = {picture(crashed.machine.directory()), first};
  };
  const auto operate = [&](Crashed& crashed) {
    return pin(crashed.store, crashed.layout, oldest, {}).has_value() &&
           roll_back(crashed.store, crashed.layout, oldest, Rehearse::no, {}).has_value();
  };
  const auto check = [&](Crashed& crashed, bool successful) {
    if (!successful) return;
    EXPECT_THAT(crashed.head().pins, ElementsAre(oldest));
    EXPECT_EQ(crashed.head().generations.front().id, oldest);
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 2);
}

}  // namespace hearth::cache::testing
