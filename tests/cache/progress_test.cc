#include "util/progress.h"

#include <gtest/gtest.h>

#include "cache/engine_support.h"
#include "cache/operator/verify.h"
#include "store/memory_store.h"

namespace hearth::cache::testing {
namespace {

class CacheProgress : public ::testing::Test {
 protected:
  // Of `work`, which is handed one to write to: how far it has come at its end.
  template <class Work>
  static util::ProgressReading after(Work work) {
    const auto progress = std::make_shared<util::Progress>();
    work(progress);
    return progress->read();
  }

  util::ProgressReading save() {
    return after([this](const std::shared_ptr<util::Progress>& progress) {
      const SaveReport report =
          cache::save(store_, kName, machine_.directory(), machine_.index(), saving_with(2, progress), {});
      EXPECT_EQ(report.outcome, SaveOutcome::saved);
      read_bytes_ = report.read_bytes;
    });
  }

  store::MemoryStore store_;
  Machine machine_{store_};
  std::uint64_t read_bytes_ = 0;
};

TEST_F(CacheProgress, ASaveCountsTheContentThatItReads) {
  make_plain_tree(machine_.directory(), 50, 30'000);
  // Above the size that is read in segments, and one with a hole.
  put_file(machine_.directory() / "large", noise(20'000'000, 7));
  const util::ProgressReading first = save();
  EXPECT_EQ(first.done, first.total);
  EXPECT_EQ(first.total, read_bytes_);
  put_file(machine_.directory() / "new", noise(40'000, 9));
  const util::ProgressReading second = save();
  EXPECT_EQ(second.done, second.total);
  EXPECT_EQ(second.total, 40'000U) << "what is proved unchanged is no work";
}

TEST_F(CacheProgress, ARestoreCountsWhatItUnpacks) {
  make_plain_tree(machine_.directory(), 200, 30'000);
  save();
  Machine other(store_);
  RestoreReport report;
  const util::ProgressReading whole = after(
      [&](const std::shared_ptr<util::Progress>& progress) { report = other.restore(restoring_with(2, progress)); });
  ASSERT_EQ(report.outcome, RestoreOutcome::hit);
  EXPECT_GT(whole.total, 5'000'000U) << "noise does not compress";
  EXPECT_LE(whole.total, report.fetched_bytes);
  EXPECT_EQ(whole.done, whole.total);
  const util::ProgressReading again = after(
      [&](const std::shared_ptr<util::Progress>& progress) { report = other.restore(restoring_with(2, progress)); });
  ASSERT_EQ(report.outcome, RestoreOutcome::hit);
  EXPECT_EQ(again.total, 0U) << "everything is there already";
}

TEST_F(CacheProgress, AVerificationCountsThePacks) {
  make_plain_tree(machine_.directory(), 200, 30'000);
  save();
  util::Progress progress;
  const VerifyReport report = verify(store_, kName, 2, {}, &progress);
  ASSERT_EQ(report.outcome, VerifyOutcome::sound);
  EXPECT_GT(progress.read().total, 5'000'000U);
  EXPECT_EQ(progress.read().done, progress.read().total);
}

}  // namespace
}  // namespace hearth::cache::testing
