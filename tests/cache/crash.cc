#include "cache/crash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/generations/commit.h"
#include "cache/operator/verify.h"

namespace hearth::cache::testing {

using support::LastMutation;

namespace {

constexpr std::uint64_t kMostSteps = 200;

void expect_named_objects(Crashed& crashed) {
  const Head head = crashed.head();
  for (const auto* generations : {&head.generations, &head.aside}) {
    for (const Generation& generation : *generations) {
      for (const ObjectName& object : objects_of(head, generation)) {
        EXPECT_TRUE(crashed.memory.stat(crashed.layout.key(object), {})) << object.text() << " is gone";
      }
    }
  }
  EXPECT_THAT(head.bad, ::testing::IsEmpty());
}

void expect_sound(Crashed& crashed) {
  expect_named_objects(crashed);
  const VerifyReport report = verify(crashed.memory, kDemo, 1, {});
  EXPECT_THAT(report.outcome, ::testing::AnyOf(VerifyOutcome::sound, VerifyOutcome::absent));
}

// A machine that knows nothing goes on with what is there.
void expect_life(Crashed& crashed) {
  Machine next(crashed.memory);
  EXPECT_THAT(next.restore().outcome, ::testing::AnyOf(RestoreOutcome::hit, RestoreOutcome::miss));
  put_file(next.directory() / "afterwards", "x");
  const Picture wanted = picture(next.directory());
  EXPECT_EQ(next.save().outcome, SaveOutcome::saved);
  EXPECT_EQ(restored_picture(crashed.memory), wanted);
  expect_sound(crashed);
}

// True if the store did not die any more.
bool run(const CrashCase& what, std::uint64_t survivors, LastMutation last) {
  Crashed crashed;
  if (what.prepare) what.prepare(crashed);
  crashed.store.die_after(survivors, last);
  const bool successful = what.operate(crashed);
  const bool died = crashed.store.dead();
  crashed.store.revive();
  EXPECT_TRUE(successful || died);
  expect_sound(crashed);
  const Picture found = restored_picture(crashed.memory);
  if (successful) {
    EXPECT_EQ(found, crashed.possible.back());
  } else {
    EXPECT_THAT(crashed.possible, ::testing::Contains(found));
  }
  if (what.check) what.check(crashed, successful);
  EXPECT_TRUE(what.operate(crashed));
  EXPECT_EQ(restored_picture(crashed.memory), crashed.possible.back());
  expect_life(crashed);
  return !died;
}

}  // namespace

Head Crashed::head() {
  return read_head(memory, layout, {}).value().seen.head;
}

void Crashed::save() {
  const SaveReport report = machine.save();
  ASSERT_EQ(report.outcome, SaveOutcome::saved) << ::testing::PrintToString(report.warnings);
}

void die_at_every_mutation(const CrashCase& what, std::uint64_t least) {
  for (const LastMutation last : {LastMutation::lost, LastMutation::unacknowledged}) {
    std::uint64_t survivors = 0;
    while (true) {
      SCOPED_TRACE(fmt::format("mutation {} is {}", survivors, last == LastMutation::lost ? "lost" : "unanswered"));
      if (run(what, survivors, last) || ::testing::Test::HasFailure()) break;
      ASSERT_LT(++survivors, kMostSteps);
    }
    EXPECT_GE(survivors, least);
  }
}

}  // namespace hearth::cache::testing
