#include "cache/protocol_model.h"

#include <gmock/gmock.h>

namespace hearth::cache::model {
namespace {

using testing::HasSubstr;

void expect_sound(const Scenario& scenario) {
  const Exploration all = explore(scenario);
  EXPECT_EQ(all.violation, "");
  EXPECT_GT(all.states, 100U);
  EXPECT_GT(all.committed, 0U);  // it does not hold because nothing happens
  testing::Test::RecordProperty("states", static_cast<int>(all.states));
}

// The promise holds with every rule, and breaks without this one.
void expect_needed(Scenario scenario, Rule rule, const std::string& violation) {
  EXPECT_EQ(explore(scenario).violation, "");
  scenario.without = rule;
  EXPECT_THAT(explore(scenario).violation, HasSubstr(violation));
}

constexpr Actor kSaver = Actor::saver;

TEST(ProtocolModel, TwoSaversACollectorAndAPurge) {
  expect_sound(
      {.actors = {kSaver, kSaver, Actor::collector, Actor::purger}, .generations = 0, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, TwoSaversAndACollectorOverDays) {
  expect_sound({.actors = {kSaver, kSaver, Actor::collector}, .generations = 3, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, TwoSaversAndAPurgeWithFaults) {
  expect_sound({.actors = {kSaver, kSaver, Actor::purger}, .generations = 3, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, ASaverAndACollectorWithFaultsOverDays) {
  expect_sound({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 2, .faults = 1});
}

TEST(ProtocolModel, FirstSavesAndAPurgeFromOutside) {
  expect_sound({.actors = {kSaver, kSaver, Actor::outside_purger}, .no_head = true, .jumps = 1, .faults = 1});
}

TEST(ProtocolModel, ARestoreBesideASaverAndACollector) {
  expect_sound({.actors = {kSaver, Actor::collector, Actor::restorer}, .generations = 3, .jumps = 1});
}

TEST(ProtocolModel, ARollbackBesideTwoSaversAndACollector) {
  expect_sound({.actors = {kSaver, kSaver, Actor::rollback, Actor::collector}, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, ARollbackAndTwoSaversWithFaults) {
  expect_sound({.actors = {kSaver, kSaver, Actor::rollback}, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, ARollbackBesideASaverACollectorAndAPurge) {
  expect_sound({.actors = {kSaver, Actor::rollback, Actor::collector, Actor::purger}, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, TwoRollbacksAndASaver) {
  expect_sound({.actors = {kSaver, Actor::rollback, Actor::rollback}, .jumps = 1, .faults = 1});
}

TEST(ProtocolModel, ACompactionBesideASaverAndACollectorOverDays) {
  expect_sound({.actors = {Actor::compactor, kSaver, Actor::collector}, .jumps = 2, .sweeps = 1});
}

TEST(ProtocolModel, ACompactionOnAnOldBaseBesideASaverAndACollector) {
  expect_sound({.actors = {kSaver, Actor::compactor, Actor::collector}, .jumps = 1, .sweeps = 2});
}

TEST(ProtocolModel, ACompactionBesideASaverAndARollbackWithFaults) {
  expect_sound({.actors = {Actor::compactor, kSaver, Actor::rollback}, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, ACompactionARollbackAndACollector) {
  expect_sound({.actors = {Actor::compactor, Actor::rollback, Actor::collector}, .jumps = 2, .sweeps = 2});
}

TEST(ProtocolModel, TwoPurgesASaverAndACollector) {
  expect_sound({.actors = {kSaver, Actor::purger, Actor::purger, Actor::collector}, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, APurgeAfterOneFromOutside) {
  expect_sound({.actors = {kSaver, Actor::outside_purger, Actor::purger}, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, APurgeBesideFirstSaves) {
  expect_sound({.actors = {kSaver, kSaver, Actor::purger}, .no_head = true, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, APurgeOfAPathBesideTwoSaversAndACollector) {
  expect_sound({.actors = {kSaver, kSaver, Actor::path_purger, Actor::collector}, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolModel, APurgeOfAPathBesideFirstSavesWithFaults) {
  expect_sound({.actors = {kSaver, kSaver, Actor::path_purger}, .generations = 0, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, APurgeOfAPathARollbackAndASaverWithFaults) {
  expect_sound({.actors = {kSaver, Actor::path_purger, Actor::rollback}, .jumps = 0, .faults = 1});
}

TEST(ProtocolModel, APurgeOfAPathBesideACompactionAndAPurge) {
  expect_sound({.actors = {Actor::compactor, Actor::path_purger, Actor::purger}, .jumps = 1});
}

TEST(ProtocolModel, TwoCollectorsAndASaver) {
  expect_sound({.actors = {kSaver, Actor::collector, Actor::collector}, .jumps = 1, .sweeps = 1});
}

TEST(ProtocolRule, CompareAndSwap) {
  expect_needed({.actors = {kSaver, kSaver}, .generations = 1, .jumps = 0}, Rule::compare_and_swap, "is lost");
}

TEST(ProtocolRule, OtherEpochDropsTheSave) {
  expect_needed({.actors = {kSaver, Actor::purger}, .generations = 0, .jumps = 0}, Rule::epoch, "e");
}

TEST(ProtocolRule, NoHeadDropsTheSave) {
  expect_needed({.actors = {kSaver, Actor::outside_purger}, .generations = 0, .jumps = 0}, Rule::head_gone, "undone");
}

TEST(ProtocolRule, HeadIsMadeBeforeTheFirstUpload) {
  expect_needed({.actors = {kSaver, Actor::outside_purger}, .no_head = true, .jumps = 0}, Rule::head_first, "undone");
}

TEST(ProtocolRule, ABaseThatIsGoneDropsTheSave) {
  expect_needed({.actors = {kSaver, kSaver, Actor::collector}, .generations = 3, .jumps = 1, .sweeps = 1},
                Rule::base_there, "which is gone");
}

TEST(ProtocolRule, AnObjectInTheTrashDropsTheSave) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 2}, Rule::own_not_in_trash,
                "which is gone");
}

TEST(ProtocolRule, AnObjectThatIsGoneDropsTheSave) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 2}, Rule::own_there, "which is gone");
}

TEST(ProtocolRule, OnlyWhatACommittedHeadHasInItsTrashIsDeleted) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 1}, Rule::committed_trash,
                "which is gone");
}

TEST(ProtocolRule, TrashStaysForTheGrace) {
  expect_needed({.actors = {kSaver, Actor::collector, Actor::restorer}, .generations = 3, .jumps = 0, .sweeps = 1},
                Rule::grace, "a restore that took no time");
}

TEST(ProtocolRule, OnlySureDeletionLeavesTheTrash) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 2, .faults = 1}, Rule::sure_deletion,
                "which is gone");
}

TEST(ProtocolRule, YoungObjectsStay) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 0}, Rule::unreferenced_age,
                "took no time was collected");
}

TEST(ProtocolRule, ARollbackIsPutOverTheHeadThatItRead) {
  expect_needed({.actors = {kSaver, Actor::rollback}, .jumps = 0}, Rule::compare_and_swap, "is undone");
}

TEST(ProtocolRule, ABaseThatWasRolledBackDropsTheSave) {
  expect_needed({.actors = {kSaver, Actor::rollback}, .jumps = 0}, Rule::base_there, "a rollback is undone");
}

TEST(ProtocolRule, ABaseThatIsGoneDropsTheSaveBesideACompaction) {
  expect_needed({.actors = {Actor::compactor, kSaver, Actor::collector}, .jumps = 1, .sweeps = 1}, Rule::base_there,
                "which is gone");
}

TEST(ProtocolRule, ContentIsTakenOverFromTheBaseAlone) {
  expect_needed({.actors = {kSaver, Actor::compactor, Actor::collector}, .jumps = 1, .sweeps = 1}, Rule::base_packs,
                "which is gone");
}

TEST(ProtocolRule, WhatIsNotListedIsAskedForBeforeItIsBad) {
  expect_needed({.actors = {kSaver, Actor::collector}, .generations = 0, .jumps = 0, .sweeps = 1},
                Rule::confirmed_absent, "bad, which is good");
}

TEST(ProtocolRule, APurgeDeletesOnlyTheEpochsThatItKnew) {
  expect_needed({.actors = {kSaver, Actor::purger, Actor::purger}, .generations = 0, .jumps = 0}, Rule::purged_epochs,
                "which is gone");
}

// It builds on no generation, so nothing else gives it away.
TEST(ProtocolRule, AFirstSaveFromBeforeAPurgeOfAPathIsDropped) {
  expect_needed({.actors = {kSaver, kSaver, Actor::path_purger}, .generations = 0, .jumps = 0}, Rule::cut, "undone");
}

// A listing that is taken after HEAD was read is as good, since HEAD is put only over the one that was read: the order
// spares a writer who lost that race another listing.
TEST(ProtocolModel, ASweepThatListsAfterItHasReadHead) {
  expect_sound({.actors = {kSaver, kSaver, Actor::collector},
                .generations = 3,
                .jumps = 1,
                .sweeps = 1,
                .without = Rule::listing_first});
  expect_sound({.actors = {kSaver, Actor::collector},
                .generations = 0,
                .jumps = 2,
                .faults = 1,
                .without = Rule::listing_first});
}

}  // namespace
}  // namespace hearth::cache::model
