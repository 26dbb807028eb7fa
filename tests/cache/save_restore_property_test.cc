// Random trees, saved, restored and changed: what comes back is what was there.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "cache/engine_support.h"
#include "cache/tree_worker.h"
#include "store/memory_store.h"

namespace hearth::cache::testing {
namespace {

void check_restored(const Picture& before, const RestoreReport& report, Machine& machine) {
  const bool nothing = before.size() == 1 && report.outcome == RestoreOutcome::miss;
  if (!nothing) {
    RC_ASSERT(report.outcome == RestoreOutcome::hit);
    const Picture after = picture(machine.directory());
    RC_ASSERT(after.size() == before.size());
    for (const auto& [path, node] : after) {
      // An empty directory that was saved over an empty one keeps the time of the first.
      if (path.empty() && before.size() == 1) continue;
      RC_ASSERT(before.contains(path));
      RC_ASSERT(node == before.at(path));
    }
  }
  const SaveReport again = machine.save();
  RC_ASSERT(again.outcome == SaveOutcome::unchanged);
  RC_ASSERT(again.read_bytes == 0U);
}

void check_story(const std::vector<std::vector<Step>>& days) {
  store::MemoryStore store;
  Machine builder(store);
  Machine follower(store);
  std::vector<Step> steps_elsewhere;
  for (const std::vector<Step>& steps : days) {
    Worker(builder.directory()).apply(steps);
    const Picture before = picture(builder.directory());
    const SaveReport saved = builder.save();
    RC_ASSERT(saved.outcome == SaveOutcome::saved || saved.outcome == SaveOutcome::unchanged);
    RC_ASSERT(saved.entries == before.size() - 1);
    Machine other(store);
    check_restored(before, other.restore(), other);
    // Somebody has been at work here since.
    Worker(follower.directory()).apply(steps_elsewhere);
    check_restored(before, follower.restore(), follower);
    steps_elsewhere = steps;
  }
}

TEST(SaveRestoreProperty, WhatComesBackIsWhatWasThere) {
  // Enough for each run of the suite; RC_PARAMS asks for more.
  ::setenv("RC_PARAMS", "max_success=25", 0);
  const bool held = rc::check([] {
    const auto days = *rc::gen::container<std::vector<std::vector<Step>>>(
        3, rc::gen::resize(20, rc::gen::container<std::vector<Step>>(any_step())));
    check_story(days);
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace hearth::cache::testing
