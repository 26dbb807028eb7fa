#include "cache/collect.h"

#include <gmock/gmock.h>

#include "cache/bytes.h"
#include "cache/commit.h"
#include "cache/format_samples.h"
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

}  // namespace
}  // namespace hearth::cache
