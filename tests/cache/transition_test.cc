#include "cache/generations/transition.h"

#include <gmock/gmock.h>

#include "cache/format_samples.h"

namespace hearth::cache {
namespace {

using testing::Contains;
using testing::Field;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr store::StoreTime kNow(std::chrono::seconds(1'600'000'000));

ObjectName manifest_of(char digit) {
  return {sample::id('e'), ObjectKind::manifest, sample::id(digit), 0};
}
ObjectName pack_of(char digit) {
  return {sample::id('e'), ObjectKind::pack, sample::id(digit), 0};
}

// A HEAD with these generations, newest first, written an hour ago.
Seen seen(std::string_view digits) {
  Seen seen{.head = sample::empty_head(), .written = kNow - std::chrono::hours(1), .now = kNow};
  for (const char digit : digits) seen.head.generations.push_back(sample::generation(digit));
  return seen;
}

std::string ids(const std::vector<Generation>& generations) {
  std::string digits;
  for (const Generation& generation : generations) digits += generation.id.front();
  return digits;
}

Seen later(Head head, std::chrono::seconds by) {
  return {.head = std::move(head), .written = kNow, .now = kNow + by};
}

// Another writer's HEAD, which changes nothing of it.
Head touched(const Seen& seen) {
  return unpinned(seen, "");
}

TEST(Transition, EveryOneHasANewSerialAndNonce) {
  const Seen before = seen("cba");
  for (const Head& head :
       {with_generation(before, sample::proposal(sample::generation('d'))), purged(before),
        *rolled_back(before, sample::id('b')), *quarantined(before, sample::id('a')), *pinned(before, sample::id('a')),
        unpinned(before, sample::id('a')), swept(before, {}), replaced(before, {}, SavesUnderWay::go_on),
        replaced(before, {}, SavesUnderWay::are_dropped)}) {
    EXPECT_EQ(head.serial, before.head.serial + 1);
    EXPECT_NE(head.nonce, before.head.nonce);
    EXPECT_TRUE(is_id(head.nonce));
  }
}

TEST(Transition, CommitKeepsThreeAndMovesTheRestToTheTrash) {
  const Head head = with_generation(seen("cba"), sample::proposal(sample::generation('d')));
  EXPECT_EQ(ids(head.generations), "dcb");
  EXPECT_EQ(head.trash, (std::vector<Trashed>{{manifest_of('a'), std::nullopt}, {pack_of('a'), std::nullopt}}));
}

TEST(Transition, WhatALaterGenerationTakesOverStays) {
  Seen before = seen("cba");
  const Generation delta = sample::delta_on(before.head.generations.back(), 'd');
  const Head head = with_generation(before, sample::proposal(delta, sample::id('a')));
  EXPECT_EQ(ids(head.generations), "dcb");
  EXPECT_THAT(head.trash, IsEmpty());
}

TEST(Transition, PinnedOnesStayBeyondThree) {
  Seen before = seen("cba");
  before.head = *pinned(before, sample::id('a'));
  const Head head = with_generation(before, sample::proposal(sample::generation('d')));
  EXPECT_EQ(ids(head.generations), "dcba");
  EXPECT_EQ(ids(unpinned(later(head, {}), sample::id('a')).generations), "dcb");
  EXPECT_EQ(pinned(before, sample::id('9')).error().kind, ErrorKind::not_found);
}

TEST(Transition, RollbackAndQuarantineMoveAside) {
  const Head back = *rolled_back(seen("cba"), sample::id('a'));
  EXPECT_EQ(ids(back.generations), "a");
  EXPECT_EQ(ids(back.aside), "cb");
  EXPECT_THAT(back.trash, IsEmpty());
  const Head quarantine = *quarantined(seen("cba"), sample::id('b'));
  EXPECT_EQ(ids(quarantine.generations), "ca");
  EXPECT_EQ(ids(quarantine.aside), "b");
  EXPECT_EQ(rolled_back(seen("cba"), sample::id('9')).error().kind, ErrorKind::not_found);
  EXPECT_EQ(quarantined(seen("cba"), sample::id('9')).error().kind, ErrorKind::not_found);
}

TEST(Transition, AsideKeepsThree) {
  Seen before = seen("cba");
  for (const char digit : {'1', '2', '3'}) before.head.aside.push_back(sample::generation(digit));
  const Head head = *quarantined(before, sample::id('c'));
  EXPECT_EQ(ids(head.aside), "c12");
  EXPECT_THAT(head.trash, Contains(Trashed{pack_of('3'), std::nullopt}));
}

// A HEAD with two generations in force and what a failed build left.
Seen with_failed() {
  Seen before = seen("cb");
  Proposal proposal = sample::proposal(sample::generation('f'), sample::id('c'));
  proposal.place = Place::aside;
  before.head = with_generation(before, proposal);
  return before;
}

TEST(Transition, AFailedBuildsGenerationGoesAsideAndNothingElseChanges) {
  const Seen now = with_failed();
  EXPECT_EQ(ids(now.head.generations), "cb");
  EXPECT_EQ(ids(now.head.aside), "f");
  EXPECT_TRUE(now.head.aside.front().failed);
  EXPECT_EQ(failed_generation(now.head), &now.head.aside.front());
  EXPECT_THAT(now.head.trash, IsEmpty());
}

TEST(Transition, AFailedBuildsGenerationIsOneAndTakesNobodysPlace) {
  Seen now = with_failed();
  for (const char digit : {'1', '2', '3'}) now.head.aside.push_back(sample::generation(digit));
  Proposal proposal = sample::proposal(sample::generation('9'));
  proposal.place = Place::aside;
  const Head head = with_generation(now, proposal);
  EXPECT_EQ(ids(head.aside), "9123");
  EXPECT_THAT(head.trash, Contains(Trashed{pack_of('f'), std::nullopt}));
}

TEST(Transition, ASuccessDropsWhatAFailedBuildLeft) {
  const Head head = with_generation(with_failed(), sample::proposal(sample::generation('d'), sample::id('f')));
  EXPECT_EQ(ids(head.generations), "dcb");
  EXPECT_FALSE(head.generations.front().failed);
  EXPECT_THAT(head.aside, IsEmpty());
  EXPECT_THAT(head.trash, Contains(Trashed{pack_of('f'), std::nullopt}));
  EXPECT_THAT(without_failed(with_failed()).aside, IsEmpty());
}

TEST(Transition, WhatASuccessTakesOverFromAFailedBuildStays) {
  const Seen before = with_failed();
  const Generation delta = sample::delta_on(before.head.aside.front(), 'd');
  const Head head = with_generation(before, sample::proposal(delta, sample::id('f')));
  EXPECT_THAT(head.aside, IsEmpty());
  EXPECT_THAT(head.trash, IsEmpty());
}

TEST(Transition, PurgeLeavesNothing) {
  Seen before = seen("cba");
  before.head.trash = {{pack_of('9'), std::nullopt}};
  before.head.unknown = R"({"x":1})";
  const Head head = purged(before);
  EXPECT_NE(head.epoch, before.head.epoch);
  EXPECT_THAT(head.generations, IsEmpty());
  EXPECT_THAT(head.trash, IsEmpty());
  EXPECT_EQ(head.unknown, before.head.unknown);
}

TEST(Transition, AGenerationIsReplacedInItsPlaceAndWithItsPin) {
  Seen before = seen("cba");
  before.head.aside = {sample::generation('9')};
  before.head.pins = {sample::id('b')};
  before.head.bad = {pack_of('b')};
  const Head head = replaced(before, {{sample::id('b'), sample::generation('d')}, {sample::id('9'), std::nullopt}},
                             SavesUnderWay::go_on);
  EXPECT_EQ(ids(head.generations), "cda");
  EXPECT_THAT(head.aside, IsEmpty());
  EXPECT_EQ(head.pins, std::vector{sample::id('d')});
  EXPECT_THAT(head.bad, IsEmpty());
  for (const char digit : {'b', '9'}) EXPECT_THAT(head.trash, Contains(Trashed{pack_of(digit), std::nullopt}));
  EXPECT_THAT(head.trash, Not(Contains(Trashed{pack_of('c'), std::nullopt})));
  EXPECT_EQ(head.cut, before.head.cut);
}

TEST(Transition, WhatIsDroppedIsPinnedNoMore) {
  Seen before = seen("cba");
  before.head.pins = {sample::id('a'), sample::id('b')};
  const Head head = replaced(before, {{sample::id('a'), std::nullopt}}, SavesUnderWay::are_dropped);
  EXPECT_EQ(ids(head.generations), "cb");
  EXPECT_EQ(head.pins, std::vector{sample::id('b')});
}

TEST(Transition, ACutDropsEverySaveFromBefore) {
  const Proposal first = sample::proposal(sample::generation('d'));
  const Proposal built_on = sample::proposal(sample::generation('d'), sample::id('c'));
  const Seen before = seen("cba");
  const Seen after = later(replaced(before, {{sample::id('a'), std::nullopt}}, SavesUnderWay::are_dropped), {});
  EXPECT_TRUE(is_id(after.head.cut));
  for (const Proposal& proposal : {first, built_on}) {
    EXPECT_EQ(decide(before, proposal, kNow), Verdict::put);
    EXPECT_EQ(decide(after, proposal, kNow), Verdict::purged);
    Proposal late = proposal;
    late.cut = after.head.cut;
    EXPECT_EQ(decide(after, late, kNow), Verdict::put);
    // What is committed is committed.
    EXPECT_EQ(decide(later(with_generation(after, late), {}), proposal, kNow), Verdict::done);
  }
  EXPECT_EQ(decide(later(touched(after), {}), first, kNow), Verdict::purged);
  EXPECT_EQ(purged(after).cut, "");
}

TEST(Transition, OnlyWhatIsNamedIsMarkedBadAndOnlyWhileItIs) {
  Proposal proposal = sample::proposal(sample::generation('c'));
  proposal.damaged = {pack_of('a'), pack_of('a'), pack_of('9')};
  Seen before = seen("ba");
  before.head = with_generation(before, proposal);
  EXPECT_EQ(before.head.bad, std::vector{pack_of('a')});
  EXPECT_TRUE(names_bad(before.head, before.head.generations.back()));
  const Head head = with_generation(before, sample::proposal(sample::generation('d')));
  EXPECT_THAT(head.bad, IsEmpty());
}

TEST(Transition, ASaveTellsWhatItFoundDamaged) {
  Proposal proposal = sample::proposal(sample::generation('d'));
  proposal.damaged = {pack_of('c')};
  EXPECT_EQ(with_generation(seen("cba"), proposal).bad, std::vector{pack_of('c')});
}

TEST(Decide, DropsWhatCannotBeCommittedAnyMore) {
  const Proposal proposal = sample::proposal(sample::generation('d'), sample::id('a'));
  EXPECT_EQ(decide(seen("cba"), proposal, kNow), Verdict::put);
  EXPECT_EQ(decide(seen("cb"), proposal, kNow), Verdict::base_gone);
  EXPECT_EQ(decide(seen("dcb"), proposal, kNow), Verdict::done);
  Seen other = seen("cba");
  other.head.epoch = sample::id('f');
  EXPECT_EQ(decide(other, proposal, kNow), Verdict::purged);
  Seen trashed = seen("cba");
  trashed.head.trash = {{pack_of('d'), kNow}};
  EXPECT_EQ(decide(trashed, proposal, kNow), Verdict::collected);
}

TEST(Decide, WhatAFailedBuildLeftIsABaseAndWhatWasRolledBackIsNone) {
  const Proposal proposal = sample::proposal(sample::generation('d'), sample::id('f'));
  Seen now = with_failed();
  EXPECT_EQ(decide(now, proposal, kNow), Verdict::put);
  EXPECT_EQ(decide(later(without_failed(now), {}), proposal, kNow), Verdict::base_gone);
  now.head.aside.front().failed = false;
  EXPECT_EQ(decide(now, proposal, kNow), Verdict::base_gone);
}

TEST(Decide, IsDoneWhereItIsAsideAlready) {
  Proposal proposal = sample::proposal(sample::generation('f'), sample::id('c'));
  proposal.place = Place::aside;
  EXPECT_EQ(decide(with_failed(), proposal, kNow), Verdict::done);
}

TEST(Decide, IsDoneWhenALaterOneBuildsOnIt) {
  const Generation own = sample::generation('d');
  Seen now = seen("");
  now.head.generations = {sample::delta_on(own, 'f')};
  EXPECT_EQ(decide(now, sample::proposal(own, sample::id('a')), kNow), Verdict::done);
}

TEST(Decide, WithoutSwapThereIsATimeLimit) {
  Seen now = seen("");
  const Proposal proposal = sample::proposal(sample::generation('d'));
  const auto long_ago = kNow - kSaveLimitWithoutSwap - std::chrono::seconds(1);
  EXPECT_EQ(decide(now, proposal, long_ago), Verdict::put);
  now.head.compare_and_swap = store::CompareAndSwap::absent;
  EXPECT_EQ(decide(now, proposal, long_ago), Verdict::too_late);
  EXPECT_EQ(decide(now, proposal, kNow), Verdict::put);
}

TEST(Trash, AgesFromTheHeadThatBroughtIt) {
  // Decided long before it was written: the age counts from the write.
  const Head head = with_generation(seen("cba"), sample::proposal(sample::generation('d')));
  EXPECT_THAT(expired_trash(later(head, kGrace)), IsEmpty());
  EXPECT_THAT(expired_trash(later(head, kGrace + std::chrono::seconds(1))), SizeIs(2));
  // The next writer puts down when that was.
  const Head next = touched(later(head, std::chrono::minutes(1)));
  EXPECT_EQ(next.trash.front().since, kNow);
  Seen much_later = later(next, kGrace);
  much_later.written = much_later.now;
  EXPECT_THAT(expired_trash(much_later), IsEmpty());
  much_later.now += std::chrono::seconds(1);
  EXPECT_THAT(expired_trash(much_later), SizeIs(2));
}

TEST(Trash, StaysADayWithoutSwapAndWhenTheClockIsSetBack) {
  Seen now = later(with_generation(seen("cba"), sample::proposal(sample::generation('d'))), kGraceWithoutSwap);
  now.head.compare_and_swap = store::CompareAndSwap::absent;
  EXPECT_THAT(expired_trash(now), IsEmpty());
  now.now += std::chrono::seconds(1);
  EXPECT_THAT(expired_trash(now), SizeIs(2));
  now.now = kNow - std::chrono::hours(1000);
  EXPECT_THAT(expired_trash(now), IsEmpty());
}

TEST(Trash, LosesWhatIsDeleted) {
  Seen now = later(with_generation(seen("cba"), sample::proposal(sample::generation('d'))), {});
  const Seen rest = without_trash(now, {pack_of('a')});
  ASSERT_THAT(rest.head.trash, SizeIs(1));
  EXPECT_EQ(rest.head.trash.front().object, manifest_of('a'));
}

TEST(Trash, KeepsWhatCannotBeDeletedBehindTheRest) {
  Seen now = seen("a");
  now.head.trash = {{pack_of('7'), kNow}, {pack_of('8'), std::nullopt}, {pack_of('9'), kNow}};
  const Seen turned = with_trash_last(now, {pack_of('7'), pack_of('6')});
  const std::vector<Trashed> expected = {{pack_of('8'), std::nullopt}, {pack_of('9'), kNow}, {pack_of('7'), kNow}};
  EXPECT_EQ(turned.head.trash, expected);
}

TEST(Sweep, MovesWhatIsOldAndUnnamedAndMarksWhatIsWrong) {
  Seen before = seen("a");
  before.head.trash = {{pack_of('7'), kNow}};
  const auto old = kNow - kUnreferencedAge - std::chrono::seconds(1);
  Sweep sweep{.objects = {{manifest_of('a'), 100, old},                // named, right
                          {pack_of('a'), 999, old},                    // named, 1000 bytes expected
                          {pack_of('8'), 5, old},                      // unnamed, old
                          {pack_of('9'), 5, kNow - kUnreferencedAge},  // unnamed, young
                          {pack_of('7'), 5, old},                      // in the trash
                          {{sample::id('0'), ObjectKind::pack, sample::id('a'), 0}, 5, old}},  // of another epoch
              .taken = kNow,
              .gone = {}};
  const Head head = swept(before, sweep);
  EXPECT_EQ(head.bad, std::vector{pack_of('a')});
  EXPECT_THAT(head.trash, SizeIs(3));
  EXPECT_THAT(head.trash, Contains(Trashed{pack_of('8'), std::nullopt}));
  EXPECT_THAT(head.trash, Contains(Field(&Trashed::object, Field(&ObjectName::epoch, sample::id('0')))));
  EXPECT_THAT(head.trash, Not(Contains(Trashed{pack_of('9'), std::nullopt})));
  EXPECT_EQ(head.swept, kNow);
  EXPECT_EQ(ids(head.generations), "a");
}

TEST(Sweep, MarksWhatIsGone) {
  const Seen before = seen("ba");
  const std::vector<Listed> listed = {
      {manifest_of('a'), 100, kNow}, {pack_of('a'), 1000, kNow}, {manifest_of('b'), 100, kNow}};
  EXPECT_EQ(unlisted(before.head, listed), std::vector{pack_of('b')});
  EXPECT_EQ(swept(before, {.objects = listed, .taken = kNow, .gone = {pack_of('b')}}).bad, std::vector{pack_of('b')});
}

TEST(Sweep, IsDueOnceADay) {
  Seen now = seen("");
  EXPECT_TRUE(sweep_due(now));
  now.head.swept = kNow - kSweepInterval + std::chrono::seconds(1);
  EXPECT_FALSE(sweep_due(now));
  now.head.swept = kNow - kSweepInterval;
  EXPECT_TRUE(sweep_due(now));
  now.head.swept = kNow + std::chrono::seconds(1);  // the clock was set back
  EXPECT_TRUE(sweep_due(now));
}

TEST(Sweep, WaitsADayAfterTheFirstGeneration) {
  const Head first = with_generation(seen(""), sample::proposal(sample::generation('a')));
  EXPECT_FALSE(sweep_due(later(first, kSweepInterval - std::chrono::seconds(1))));
  EXPECT_TRUE(sweep_due(later(first, kSweepInterval)));
  const Head second = with_generation(seen("a"), sample::proposal(sample::generation('b')));
  EXPECT_TRUE(sweep_due(later(second, std::chrono::seconds(0)))) << "what an older program has never swept";
}

}  // namespace
}  // namespace hearth::cache
