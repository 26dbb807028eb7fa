#include "cache/generations/collect.h"

#include <gmock/gmock.h>

#include "cache/format/bytes.h"
#include "cache/format_samples.h"
#include "cache/generations/commit.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache {
namespace {

using support::Operation;
using support::Verb;

class Collect : public testing::Test {
 protected:
  void put(const ObjectName& object, std::size_t bytes) {
    const std::string content(bytes, 'x');
    ASSERT_TRUE(memory_.put(layout_.key(object), as_bytes(content), store::Condition::none(), {}));
  }

  void save(char digit) {
    const HeadRead opened = *open_head(memory_, layout_, {});
    Proposal proposal = sample::proposal(sample::generation(digit));
    proposal.epoch = opened.seen.head.epoch;
    put(own_objects(proposal)[0], 100);
    put(own_objects(proposal)[1], 1000);
    ASSERT_EQ(commit(memory_, layout_, opened, proposal, {})->outcome, CommitOutcome::committed);
  }

  Head head() { return read_head(memory_, layout_, {})->seen.head; }
  bool exists(const ObjectName& object) { return memory_.stat(layout_.key(object), {}).has_value(); }

  store::MemoryStore memory_;
  const Layout layout_ = *Layout::of(sample::kName);
};

TEST_F(Collect, WithoutHeadNothingHappens) {
  const ObjectName orphan{sample::id('0'), ObjectKind::pack, sample::id('9'), 0};
  put(orphan, 5);
  memory_.advance(std::chrono::hours(1000));
  EXPECT_EQ(sweep(memory_, layout_, {})->deleted.objects, 0U);
  EXPECT_TRUE(exists(orphan));
}

TEST_F(Collect, GarbageGoesToTheTrashFirst) {
  save('a');
  const ObjectName orphan{head().epoch, ObjectKind::pack, sample::id('9'), 0};
  const ObjectName of_old_epoch{sample::id('0'), ObjectKind::manifest, sample::id('9'), 0};
  put(orphan, 5);
  put(of_old_epoch, 5);
  EXPECT_EQ(sweep(memory_, layout_, {})->trashed.objects, 0U);
  memory_.advance(kUnreferencedAge + std::chrono::seconds(1));
  EXPECT_EQ(sweep(memory_, layout_, {})->trashed.objects, 2U);
  EXPECT_TRUE(exists(orphan));
  memory_.advance(kGrace);
  EXPECT_EQ(sweep(memory_, layout_, {})->deleted.objects, 0U);
  memory_.advance(std::chrono::seconds(1));
  EXPECT_EQ(sweep(memory_, layout_, {})->deleted.objects, 2U);
  EXPECT_FALSE(exists(orphan));
  EXPECT_FALSE(exists(of_old_epoch));
  EXPECT_TRUE(head().trash.empty());
  for (const ObjectName& object : objects_of(head(), head().generations.front())) EXPECT_TRUE(exists(object));
}

TEST_F(Collect, MarksWhatIsGoneOrHasAnotherSize) {
  save('a');
  save('b');
  put({head().epoch, ObjectKind::pack, sample::id('a'), 0}, 999);
  ASSERT_TRUE(memory_.remove(layout_.key({head().epoch, ObjectKind::manifest, sample::id('b'), 0}), {}));
  EXPECT_EQ(sweep(memory_, layout_, {})->bad, 2U);
  EXPECT_EQ(head().bad.size(), 2U);
  EXPECT_EQ(sweep(memory_, layout_, {})->bad, 0U);
}

TEST_F(Collect, WhatIsCommittedAfterTheListingIsNotMissing) {
  save('a');
  support::FaultyStore between(memory_);
  bool listed = false;
  between.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::list) listed = true;
    if (operation.verb == Verb::get && std::exchange(listed, false)) save('b');
  });
  EXPECT_EQ(sweep(between, layout_, {})->bad, 0U);
  EXPECT_EQ(head().generations.size(), 2U);
}

TEST_F(Collect, PurgeDeletesEverythingAndASecondOneTheRest) {
  save('a');
  save('b');
  put({sample::id('0'), ObjectKind::pack, sample::id('9'), 0}, 5);
  support::FaultyStore dying(memory_);
  dying.die_after(3, support::LastMutation::lost);
  EXPECT_FALSE(purge(dying, layout_, {}));
  EXPECT_TRUE(head().generations.empty());
  EXPECT_EQ(purge(memory_, layout_, {})->deleted, 3U);
  const auto unexpected = [](const store::ObjectInfo& info) -> Result<void> {
    return fail(ErrorKind::invalid, "{}", info.key.text());
  };
  EXPECT_TRUE(memory_.list(layout_.objects(), unexpected, {}));
}

TEST_F(Collect, PurgeMendsACorruptHead) {
  save('a');
  ASSERT_TRUE(memory_.put(layout_.head(), as_bytes("garbage"), store::Condition::none(), {}));
  EXPECT_EQ(purge(memory_, layout_, {})->deleted, 2U);
  EXPECT_TRUE(head().generations.empty());
}

TEST_F(Collect, PurgeOfNothingIsNothing) {
  EXPECT_EQ(purge(memory_, layout_, {})->deleted, 0U);
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::absent);
}

// The very first save has made HEAD after the purge found none, and is uploading.
TEST_F(Collect, PurgeBesideAFirstSave) {
  const ObjectName orphan{sample::id('0'), ObjectKind::pack, sample::id('9'), 0};
  put(orphan, 5);
  support::FaultyStore between(memory_);
  std::optional<HeadRead> opened;
  between.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && !opened) opened = *open_head(memory_, layout_, {});
  });
  EXPECT_EQ(purge(between, layout_, {})->deleted, 1U);
  ASSERT_TRUE(opened);
  Proposal proposal = sample::proposal(sample::generation('a'));
  proposal.epoch = opened->seen.head.epoch;
  const Result<CommitReport> committed = commit(memory_, layout_, *opened, proposal, {});
  ASSERT_TRUE(committed);
  EXPECT_EQ(committed->outcome, CommitOutcome::superseded);
  EXPECT_TRUE(head().generations.empty());
}

// Nothing is there at all, and nothing is at work: there is nothing to drop, and no HEAD to leave. A save that begins
// now is one from after the purge.
TEST_F(Collect, PurgeOfNothingBeforeAFirstSave) {
  support::FaultyStore between(memory_);
  std::optional<HeadRead> opened;
  between.before_each([&](const Operation& operation) {
    // It begins between the purge's listing and its look at HEAD.
    if (operation.verb == Verb::get && !opened) opened = *open_head(memory_, layout_, {});
  });
  EXPECT_EQ(purge(between, layout_, {})->deleted, 0U);
  ASSERT_TRUE(opened);
  EXPECT_NE(head().epoch, opened->seen.head.epoch);
}

TEST_F(Collect, PurgeWhoseHeadIsDeletedMeanwhileGoesOn) {
  save('a');
  support::FaultyStore between(memory_);
  bool done = false;
  between.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && !std::exchange(done, true)) {
      ASSERT_TRUE(memory_.remove(layout_.head(), {}));
    }
  });
  const Result<PurgeReport> report = purge(between, layout_, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->deleted, 2U);
  EXPECT_EQ(report->bytes, 1100U);
}

TEST_F(Collect, PurgeUnlessSomebodySaved) {
  save('a');
  save('b');
  EXPECT_EQ(*purge_unless_saved(memory_, layout_, sample::id('a'), {}), std::nullopt);
  EXPECT_EQ(head().generations.size(), 2U);
  // A save that comes first keeps the cache.
  support::FaultyStore between(memory_);
  bool done = false;
  between.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && !std::exchange(done, true)) save('c');
  });
  EXPECT_EQ(*purge_unless_saved(between, layout_, sample::id('b'), {}), std::nullopt);
  EXPECT_EQ(head().generations.size(), 3U);
  const auto report = purge_unless_saved(memory_, layout_, sample::id('c'), {});
  ASSERT_TRUE(report && *report);
  EXPECT_EQ((*report)->deleted, 6U);
  EXPECT_EQ((*report)->bytes, 3300U);
}

// Nobody can tell what is the newest generation where HEAD is damaged or gone.
TEST_F(Collect, PurgeUnlessSomebodySavedChangesNothingWhereHeadCannotTell) {
  save('a');
  ASSERT_TRUE(memory_.put(layout_.head(), as_bytes("garbage"), store::Condition::none(), {}));
  EXPECT_EQ(purge_unless_saved(memory_, layout_, sample::id('a'), {}).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(as_text(memory_.get(layout_.head(), {}, {})->bytes), "garbage");
  ASSERT_TRUE(memory_.remove(layout_.head(), {}));
  EXPECT_EQ(purge_unless_saved(memory_, layout_, sample::id('a'), {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::absent);
  EXPECT_EQ(purge(memory_, layout_, {})->deleted, 2U);
}

TEST_F(Collect, PurgeWithLostAnswersIsDoneOnce) {
  save('a');
  support::FaultyStore dying(memory_);
  dying.die_after(0, support::LastMutation::unacknowledged);
  EXPECT_FALSE(purge_unless_saved(dying, layout_, sample::id('a'), {}));
  dying.revive();
  // It came through: nobody's newest generation is 'a' any more.
  EXPECT_TRUE(head().generations.empty());
  EXPECT_EQ(*purge_unless_saved(dying, layout_, sample::id('a'), {}), std::nullopt);
  EXPECT_EQ(purge(dying, layout_, {})->deleted, 2U);
}

TEST_F(Collect, AnythingBeyondOnePageOfAListingIsPurged) {
  save('a');
  constexpr std::uint32_t kObjects = 2500;
  for (std::uint32_t number = 0; number < kObjects; ++number) {
    put({head().epoch, ObjectKind::pack, sample::id('9'), number}, 1);
  }
  const Result<PurgeReport> report = purge(memory_, layout_, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->deleted, kObjects + 2);
  EXPECT_EQ(report->bytes, kObjects + 1100);
}

TEST_F(Collect, ARehearsedSweepTellsWhatTheNextOneDoes) {
  save('a');
  put({head().epoch, ObjectKind::pack, sample::id('9'), 0}, 50);
  memory_.advance(kUnreferencedAge + std::chrono::seconds(1));
  put({head().epoch, ObjectKind::pack, sample::id('8'), 0}, 7);
  const Head before = head();
  const Stored two{1, 50};
  for (const Rehearse rehearse : {Rehearse::yes, Rehearse::no}) {
    const SweepReport report = *sweep(memory_, layout_, rehearse, {});
    EXPECT_EQ(report.listed, (Stored{4, 1157}));
    EXPECT_EQ(report.trashed, two);
    EXPECT_EQ(report.young, (Stored{1, 7}));
    EXPECT_EQ(report.deleted, Stored());
    EXPECT_EQ(head() == before, rehearse == Rehearse::yes);
  }
  EXPECT_EQ(sweep(memory_, layout_, Rehearse::yes, {})->waiting, two);
  memory_.advance(kGrace + std::chrono::seconds(1));
  const std::size_t objects = sweep(memory_, layout_, Rehearse::yes, {})->listed.objects;
  EXPECT_EQ(objects, 4U);
  for (const Rehearse rehearse : {Rehearse::yes, Rehearse::no}) {
    EXPECT_EQ(sweep(memory_, layout_, rehearse, {})->deleted, two);
  }
  EXPECT_EQ(sweep(memory_, layout_, {})->listed.objects, 3U);
}

TEST_F(Collect, WhatOneSweepLeavesTheNextOneTakes) {
  save('a');
  for (std::uint32_t number = 0; number < kSweepLimit + 5; ++number) {
    put({head().epoch, ObjectKind::pack, sample::id('9'), number}, 1);
  }
  memory_.advance(kUnreferencedAge + std::chrono::seconds(1));
  SweepReport report = *sweep(memory_, layout_, {});
  EXPECT_EQ(report.trashed.objects, kSweepLimit);
  EXPECT_EQ(report.left.objects, 5U);
  report = *sweep(memory_, layout_, {});
  EXPECT_EQ(report.trashed.objects, 5U);
  EXPECT_EQ(report.waiting.objects, kSweepLimit);
}

TEST_F(Collect, OfAnAppGoesAlsoWhatWasPurgedFromOutside) {
  save('a');
  Name other = sample::kName;
  other.stack = "other";
  const Layout left = *Layout::of(other);
  const store::Key key = left.key({sample::id('0'), ObjectKind::pack, sample::id('9'), 0});
  ASSERT_TRUE(memory_.put(key, as_bytes("123456789"), store::Condition::none(), {}));
  const Result<PurgeReport> report = purge_app(memory_, sample::kName.app, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->deleted, 3U);
  EXPECT_EQ(report->bytes, 1109U);
  EXPECT_FALSE(memory_.stat(key, {}));
}

TEST_F(Collect, CachesAreMeasuredWithWhatIsLeftOfThem) {
  save('a');
  const std::uint64_t head_bytes = memory_.stat(layout_.head(), {})->size;
  Name other = sample::kName;
  other.stack = "other";
  const Layout left = *Layout::of(other);
  const std::string content(9, 'x');
  ASSERT_TRUE(memory_.put(left.key({sample::id('0'), ObjectKind::pack, sample::id('9'), 0}), as_bytes(content),
                          store::Condition::none(), {}));
  const auto caches = measure_caches(memory_, sample::kName.app, {});
  ASSERT_TRUE(caches);
  ASSERT_EQ(caches->size(), 2U);
  EXPECT_EQ((*caches)[0].name, sample::kName);
  EXPECT_TRUE((*caches)[0].has_head);
  EXPECT_EQ((*caches)[0].objects, (Stored{3, 1100 + head_bytes}));
  EXPECT_EQ((*caches)[1].name, other);
  EXPECT_FALSE((*caches)[1].has_head);
  EXPECT_EQ((*caches)[1].objects, (Stored{1, 9}));
  EXPECT_TRUE(measure_caches(memory_, "nobody", {})->empty());
}

}  // namespace
}  // namespace hearth::cache
