// On a machine that has no more threads everything takes longer, and nothing ends the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "cache/engine_support.h"
#include "cache/operator/content_reader.h"
#include "cache/operator/repair.h"
#include "cache/operator/survey.h"
#include "cache/operator/verify.h"
#include "cache/tree/parallel.h"
#include "store/memory_store.h"
#include "support/thread_calls.h"

namespace hearth::cache::testing {
namespace {

using support::FewThreads;

constexpr int kMostThreads = 9;

TEST(FewThreads, DoAllOfTheWork) {
  for (int threads = 0; threads < kMostThreads; ++threads) {
    const FewThreads few(threads);
    std::atomic<int> left = 100;
    std::atomic<int> members = 0;
    const Result<void> done = in_parallel(8, {}, [&](const std::stop_token&) -> Result<void> {
      ++members;
      while (left-- > 0) {
      }
      return {};
    });
    EXPECT_TRUE(done);
    EXPECT_LE(left, 0);
    EXPECT_EQ(members, std::min(threads + 1, 8));  // the calling one is among them
    EXPECT_EQ(in_parallel(8, {}, [](const std::stop_token&) -> Result<void> { return fail(ErrorKind::io, "x"); })
                  .error()
                  .kind,
              ErrorKind::io);
  }
}

TEST(FewThreads, WhatIsDoneInTheBackgroundIsDone) {
  const FewThreads none(0);
  std::future<int> done = in_background([] { return 7; });
  EXPECT_EQ(done.get(), 7);
  EXPECT_EQ(Ahead<int>({}, [](const std::stop_token&) { return 8; }).take(), 8);
}

TEST(FewThreads, AreEnoughForASaveAndARestore) {
  for (int threads = 0; threads < kMostThreads; ++threads) {
    SCOPED_TRACE(threads);
    store::MemoryStore memory;
    Machine machine(memory);
    make_rich_tree(machine.directory());
    make_plain_tree(machine.directory() / "more", 20, 100'000);
    Machine other(memory);
    {
      const FewThreads few(threads);
      EXPECT_EQ(machine.save().outcome, SaveOutcome::saved);
      put_file(machine.directory() / "more/new", noise(100'000, 7));
      EXPECT_EQ(other.restore().outcome, RestoreOutcome::hit);
      EXPECT_EQ(machine.save().outcome, SaveOutcome::saved);
      // Over what is there.
      EXPECT_EQ(other.restore().outcome, RestoreOutcome::hit);
    }
    EXPECT_EQ(picture(other.directory()), restored_picture(memory));
  }
}

TEST(FewThreads, AreEnoughForOperators) {
  store::MemoryStore memory;
  Machine machine(memory);
  make_plain_tree(machine.directory(), 20, 100'000);
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  const Layout layout = Layout::of(kName).value();
  const FewThreads none(0);
  EXPECT_EQ(verify(memory, kName, 0, {}).outcome, VerifyOutcome::sound);
  EXPECT_EQ(repair(memory, kName, machine.directory(), 0, {}).outcome, VerifyOutcome::sound);
  EXPECT_EQ(survey(memory, "", [](const Name&) { return true; }, {})->size(), 1U);
  const OpenedGeneration generation = open_generation(memory, layout, "0", {}).value();
  const auto file = static_cast<std::uint32_t>(generation.manifest.entries.find(std::string("dir0/file0")).value());
  ContentReader reader(memory, layout, generation, {file}, {});
  reader.open(file);
  std::vector<std::byte> bytes(200'000);
  EXPECT_EQ(reader.read(bytes).value(), 100'000U);
}

}  // namespace
}  // namespace hearth::cache::testing
