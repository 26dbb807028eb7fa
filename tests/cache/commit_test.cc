#include "cache/generations/commit.h"

#include <gmock/gmock.h>

#include <set>

#include "cache/format/bytes.h"
#include "cache/format_samples.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache {
namespace {

using support::FaultyStore;
using support::LastMutation;
using support::Operation;
using support::Verb;

class Commit : public testing::Test {
 protected:
  void put_bytes(const store::Key& key, std::string_view bytes) {
    ASSERT_TRUE(memory_.put(key, as_bytes(bytes), store::Condition::none(), {}));
  }

  // A save that has uploaded what is its own.
  Proposal uploaded(char digit, const HeadRead& opened, const std::string& base = "") {
    Proposal proposal = sample::proposal(sample::generation(digit), base);
    proposal.epoch = opened.seen.head.epoch;
    for (const ObjectName& object : own_objects(proposal)) put_bytes(layout_.key(object), "content");
    return proposal;
  }

  // Commits, and returns the newest generation's id.
  std::string save(char digit) {
    const HeadRead opened = *open_head(memory_, layout_, {});
    EXPECT_EQ(commit(memory_, layout_, opened, uploaded(digit, opened), {})->outcome, CommitOutcome::committed);
    return newest();
  }

  std::string newest() {
    const HeadRead read = *read_head(memory_, layout_, {});
    return read.state == HeadState::readable && !read.seen.head.generations.empty()
               ? read.seen.head.generations.front().id
               : "";
  }

  void fill_trash(std::uint32_t objects);

  // The objects in the trash that fill_trash() put there.
  std::vector<std::uint32_t> filled_trash() {
    const HeadRead read = *read_head(memory_, layout_, {});
    std::vector<std::uint32_t> numbers;
    for (const Trashed& trashed : read.seen.head.trash) {
      if (trashed.object.save == sample::id('9')) numbers.push_back(trashed.object.number);
    }
    return numbers;
  }

  // A save in whose store the objects that fill_trash() made with these numbers can never be deleted.
  void save_beside_held(char digit, const std::set<std::uint32_t>& held, ErrorKind kind = ErrorKind::denied) {
    const HeadRead opened = *open_head(memory_, layout_, {});
    const Proposal proposal = uploaded(digit, opened);
    std::set<std::string> keys;
    for (const std::uint32_t number : held) keys.insert(layout_.key(filled(opened, number)).text());
    faulty_.before_each([this, keys, kind](const Operation& operation) {
      faulty_.forgive();
      if (operation.verb != Verb::remove) return;
      ++removals_;
      if (keys.contains(operation.key)) faulty_.refuse(Verb::remove, kind);
    });
    removals_ = 0;
    const auto report = commit(faulty_, layout_, opened, proposal, {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->outcome, CommitOutcome::committed);
    faulty_.before_each({});
    faulty_.forgive();
  }

  static ObjectName filled(const HeadRead& opened, std::uint32_t number) {
    return {opened.seen.head.epoch, ObjectKind::pack, sample::id('9'), number};
  }

  bool exists(const ObjectName& object) { return memory_.stat(layout_.key(object), {}).has_value(); }

  store::MemoryStore memory_;
  FaultyStore faulty_{memory_};
  int removals_ = 0;
  const Layout layout_ = *Layout::of(sample::kName);
};

TEST_F(Commit, MakesHeadBeforeTheFirstUpload) {
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::absent);
  const HeadRead opened = *open_head(memory_, layout_, {});
  EXPECT_EQ(opened.state, HeadState::readable);
  EXPECT_TRUE(opened.seen.head.generations.empty());
  EXPECT_EQ(open_head(memory_, layout_, {})->seen.head, opened.seen.head);
}

TEST_F(Commit, PutsTheGenerationOnTop) {
  EXPECT_EQ(save('a'), sample::id('a'));
  EXPECT_EQ(save('b'), sample::id('b'));
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.generations.size(), 2U);
}

TEST_F(Commit, TwoSaversLoseNothing) {
  const HeadRead first = *open_head(memory_, layout_, {});
  const HeadRead second = *open_head(memory_, layout_, {});
  EXPECT_EQ(commit(memory_, layout_, first, uploaded('a', first), {})->attempts, 1);
  const CommitReport report = *commit(memory_, layout_, second, uploaded('b', second), {});
  EXPECT_EQ(report.outcome, CommitOutcome::committed);
  EXPECT_EQ(report.attempts, 2);
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.generations.size(), 2U);
}

TEST_F(Commit, AnAnswerThatIsLostIsNoSecondGeneration) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  // The put arrives and its answer does not; by the time HEAD is read the store is back.
  int operations = 0;
  faulty_.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && operations++ == 0) faulty_.die_after(0, LastMutation::unacknowledged);
    if (operation.verb == Verb::get) faulty_.revive();
  });
  const auto report = commit(faulty_, layout_, opened, proposal, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->outcome, CommitOutcome::committed);
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.generations.size(), 1U);
}

TEST_F(Commit, ARequestThatIsLostIsSentAgain) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  int puts = 0;
  faulty_.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && puts++ == 0) faulty_.die_after(0, LastMutation::lost);
    if (operation.verb == Verb::get) faulty_.revive();
  });
  EXPECT_EQ(commit(faulty_, layout_, opened, proposal, {})->attempts, 2);
  EXPECT_EQ(newest(), sample::id('a'));
}

TEST_F(Commit, GivesUpAfterEightAttempts) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  int puts = 0;
  faulty_.before_each([&](const Operation& operation) {
    if (operation.verb != Verb::put) return;
    ++puts;
    const Transition touch = [](const Seen& seen) -> Result<std::optional<Head>> { return unpinned(seen, ""); };
    EXPECT_TRUE(update_head(memory_, layout_, touch, {}));
  });
  EXPECT_EQ(commit(faulty_, layout_, opened, proposal, {}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(puts, 8);
}

TEST_F(Commit, APurgeDropsIt) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  const Transition purge = [](const Seen& seen) -> Result<std::optional<Head>> { return purged(seen); };
  ASSERT_TRUE(update_head(memory_, layout_, purge, {}));
  EXPECT_EQ(commit(memory_, layout_, opened, proposal, {})->outcome, CommitOutcome::superseded);
  EXPECT_EQ(newest(), "");
}

TEST_F(Commit, APurgeFromOutsideDropsIt) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  ASSERT_TRUE(memory_.remove(layout_.head(), {}));
  const CommitReport report = *commit(memory_, layout_, opened, proposal, {});
  EXPECT_EQ(report.outcome, CommitOutcome::superseded);
  EXPECT_NE(report.reason, "");
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::absent);
}

TEST_F(Commit, AnOwnObjectThatIsGoneDropsIt) {
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  save('b');
  ASSERT_TRUE(memory_.remove(layout_.key(own_objects(proposal).back()), {}));
  EXPECT_EQ(commit(memory_, layout_, opened, proposal, {})->outcome, CommitOutcome::superseded);
  EXPECT_EQ(newest(), sample::id('b'));
}

TEST_F(Commit, DeletesExpiredTrash) {
  for (const char digit : {'a', 'b', 'c', 'd'}) save(digit);
  const ObjectName dropped = read_head(memory_, layout_, {})->seen.head.trash.front().object;
  EXPECT_TRUE(exists(dropped));
  memory_.advance(kGrace);
  save('1');
  EXPECT_TRUE(exists(dropped));
  memory_.advance(std::chrono::seconds(2));
  save('2');
  EXPECT_FALSE(exists(dropped));
  const auto read = read_head(memory_, layout_, {});
  for (const Trashed& trashed : read->seen.head.trash) EXPECT_NE(trashed.object, dropped);
}

TEST_F(Commit, WhatCannotBeDeletedStaysInTheTrash) {
  for (const char digit : {'a', 'b', 'c', 'd'}) save(digit);
  const std::size_t before = read_head(memory_, layout_, {})->seen.head.trash.size();
  memory_.advance(kGrace + std::chrono::seconds(1));
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('1', opened);
  faulty_.refuse(Verb::remove, ErrorKind::denied);
  ASSERT_EQ(commit(faulty_, layout_, opened, proposal, {})->outcome, CommitOutcome::committed);
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.trash.size(), before + 2);
}

// A HEAD in whose trash so many objects wait that the grace is over for, and that are all there.
void Commit::fill_trash(std::uint32_t objects) {
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    Head head = unpinned(seen, "");
    for (std::uint32_t number = 0; number < objects; ++number) {
      head.trash.push_back({{head.epoch, ObjectKind::pack, sample::id('9'), number}, memory_.now()});
      put_bytes(layout_.key(head.trash.back().object), "x");
    }
    return head;
  };
  ASSERT_TRUE(open_head(memory_, layout_, {}));
  ASSERT_TRUE(update_head(memory_, layout_, transition, {}));
  memory_.advance(kGrace + std::chrono::seconds(1));
}

TEST_F(Commit, ALotOfTrashGoesInParts) {
  fill_trash(700);
  save('a');
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.trash.size(), 200U);
  save('b');
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.trash.size(), 0U);
}

TEST_F(Commit, TrashIsTriedOnceHoweverOftenHeadIsPut) {
  fill_trash(700);
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  int removals = 0;
  int puts = 0;
  faulty_.before_each([&](const Operation& operation) {
    removals += operation.verb == Verb::remove ? 1 : 0;
    if (operation.verb != Verb::put || ++puts > 3) return;
    const Transition touch = [](const Seen& seen) -> Result<std::optional<Head>> { return unpinned(seen, ""); };
    EXPECT_TRUE(update_head(memory_, layout_, touch, {}));
  });
  faulty_.refuse(Verb::remove, ErrorKind::denied);
  EXPECT_EQ(commit(faulty_, layout_, opened, proposal, {})->attempts, 4);
  EXPECT_EQ(removals, 11) << "one request, whose first object is refused, and ten objects alone";
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.trash.size(), 700U);
}

TEST_F(Commit, WhatIsHeldKeepsNothingElseInTheTrash) {
  fill_trash(700);
  save_beside_held('a', {0, 3});
  std::vector<std::uint32_t> left = filled_trash();
  ASSERT_EQ(left.size(), 602U) << "of the first 100 all but those that are held";
  EXPECT_EQ(left.front(), 100U);
  EXPECT_THAT(std::vector(left.end() - 2, left.end()), testing::ElementsAre(0U, 3U)) << "tried last from now on";
  save_beside_held('b', {0, 3});
  EXPECT_EQ(removals_, 500) << "in one request, since what is held stands behind them";
  EXPECT_EQ(filled_trash().size(), 102U);
  save_beside_held('c', {0, 3});
  save_beside_held('d', {0, 3});
  EXPECT_THAT(filled_trash(), testing::ElementsAre(0U, 3U));
  EXPECT_TRUE(exists(filled(*open_head(memory_, layout_, {}), 3)));
}

TEST_F(Commit, ManyThatAreHeldAreNotAllTriedEachTime) {
  fill_trash(40);
  std::set<std::uint32_t> held;
  for (std::uint32_t number = 0; number < 30; ++number) held.insert(number);
  for (const char digit : {'a', 'b', 'c'}) {
    save_beside_held(digit, held);
    EXPECT_EQ(removals_, 11);
    EXPECT_EQ(filled_trash().size(), 40U);
  }
  EXPECT_EQ(filled_trash().front(), 30U);
  save_beside_held('d', held);
  EXPECT_THAT(filled_trash(), testing::SizeIs(30U)) << "what stands behind them has had its turn";
  EXPECT_THAT(filled_trash(), testing::Each(testing::Lt(30U)));
}

TEST_F(Commit, OfAStoreThatDoesNotAnswerNothingIsAskedTwice) {
  fill_trash(3);
  save_beside_held('a', {0}, ErrorKind::unavailable);
  EXPECT_EQ(removals_, 1);
  EXPECT_THAT(filled_trash(), testing::ElementsAre(0U, 1U, 2U));
}

TEST_F(Commit, NothingIsDeletedBetweenAConflictAndTheNextAttempt) {
  fill_trash(3);
  const HeadRead opened = *open_head(memory_, layout_, {});
  const Proposal proposal = uploaded('a', opened);
  std::string order;
  faulty_.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::remove) order += 'd';
    if (operation.verb != Verb::put) return;
    const Transition touch = [](const Seen& seen) -> Result<std::optional<Head>> { return unpinned(seen, ""); };
    if (!order.contains('p')) {
      EXPECT_TRUE(update_head(memory_, layout_, touch, {}));
    }
    order += 'p';
  });
  EXPECT_EQ(commit(faulty_, layout_, opened, proposal, {})->outcome, CommitOutcome::committed);
  EXPECT_EQ(order, "dddpp");
  EXPECT_EQ(read_head(memory_, layout_, {})->seen.head.trash.size(), 0U);
}

TEST_F(Commit, WithoutSwapItReadsBack) {
  store::MemoryStore swift(store::CompareAndSwap::absent);
  const HeadRead first = *open_head(swift, layout_, {});
  EXPECT_EQ(first.seen.head.compare_and_swap, store::CompareAndSwap::absent);
  const HeadRead second = *open_head(swift, layout_, {});
  const auto upload = [&](char digit, const HeadRead& opened) {
    Proposal proposal = sample::proposal(sample::generation(digit));
    proposal.epoch = opened.seen.head.epoch;
    for (const ObjectName& object : own_objects(proposal)) {
      EXPECT_TRUE(swift.put(layout_.key(object), as_bytes("x"), store::Condition::none(), {}));
    }
    return proposal;
  };
  const Proposal a = upload('a', first);
  const Proposal b = upload('b', second);
  EXPECT_EQ(commit(swift, layout_, first, a, {})->outcome, CommitOutcome::committed);
  EXPECT_EQ(commit(swift, layout_, second, b, {})->outcome, CommitOutcome::committed);
  EXPECT_EQ(read_head(swift, layout_, {})->seen.head.generations.size(), 2U);
  const HeadRead slow = *open_head(swift, layout_, {});
  const Proposal c = upload('c', slow);
  swift.advance(kSaveLimitWithoutSwap + std::chrono::seconds(1));
  EXPECT_EQ(commit(swift, layout_, slow, c, {})->outcome, CommitOutcome::superseded);
}

TEST_F(Commit, ACorruptHeadIsColdAndTheNextSaveHeals) {
  save('a');
  const std::string old_epoch = read_head(memory_, layout_, {})->seen.head.epoch;
  std::string text(as_text(memory_.get(layout_.head(), {}, {})->bytes));
  text[text.size() / 2] ^= 0x10;
  put_bytes(layout_.head(), text);
  const HeadRead damaged = *read_head(memory_, layout_, {});
  EXPECT_EQ(damaged.state, HeadState::corrupt);
  EXPECT_NE(damaged.problem, "");
  EXPECT_EQ(save('b'), sample::id('b'));
  const HeadRead healed = *read_head(memory_, layout_, {});
  EXPECT_NE(healed.seen.head.epoch, old_epoch);
  EXPECT_EQ(healed.seen.head.generations.size(), 1U);
}

TEST_F(Commit, WhatIsDamagedOnItsWayOnceIsReadAgain) {
  save('a');
  faulty_.corrupt(layout_.head(), 20);
  int reads = 0;
  faulty_.before_each([&](const Operation&) {
    if (++reads == 2) faulty_.heal();
  });
  EXPECT_EQ(read_head(faulty_, layout_, {})->state, HeadState::readable);
}

TEST_F(Commit, ANewerFormatIsLeftAlone) {
  std::string text = encode_head(sample::empty_head());
  text.replace(text.find("\"format\":1"), 10, "\"format\":2");
  text.resize(text.rfind(",\"sha256\""));
  const std::string sum = util::sha256(text).hex();
  put_bytes(layout_.head(), text + ",\"sha256\":\"" + sum + "\"}\n");
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::newer);
  EXPECT_EQ(open_head(memory_, layout_, {}).error().kind, ErrorKind::invalid);
}

TEST_F(Commit, AMinWriterThatIsNewerIsOnlyRead) {
  Head head = sample::empty_head();
  head.min_writer = kHeadFormat + 1;
  put_bytes(layout_.head(), encode_head(head));
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::readable);
  EXPECT_EQ(open_head(memory_, layout_, {}).error().kind, ErrorKind::invalid);
}

TEST_F(Commit, AnotherCachesHeadIsCorrupt) {
  Head head = sample::empty_head();
  head.name.app = "other";
  put_bytes(layout_.head(), encode_head(head));
  EXPECT_EQ(read_head(memory_, layout_, {})->state, HeadState::corrupt);
}

}  // namespace
}  // namespace hearth::cache
