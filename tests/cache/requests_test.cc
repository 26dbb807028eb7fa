// How often the store is asked.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>

#include "cache/engine_support.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

class Requests : public ::testing::Test {
 protected:
  Requests() {
    store_.before_each([this](const support::Operation&) { ++requests_; });
  }

  // Of a save that stores something.
  int requests_of_save() {
    requests_ = 0;
    const SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved) << ::testing::PrintToString(report.warnings);
    EXPECT_EQ(restored_picture(memory_), picture(machine_.directory()));
    return requests_;
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{store_};
  std::atomic<int> requests_ = 0;
};

// HEAD, a pack, the manifest, HEAD.
TEST_F(Requests, TheSaveOfAChangeMakesFour) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  requests_of_save();
  put_file(machine_.directory() / "new", noise(5'000, 1));
  EXPECT_EQ(requests_of_save(), 4);
  put_file(machine_.directory() / "dir3/file3", noise(7'000, 2));
  EXPECT_EQ(requests_of_save(), 4);
}

// HEAD, the trailer of the pack that the file is in, the manifest, HEAD.
TEST_F(Requests, AFileOfTheSameLengthIsLookedForInItsPack) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  requests_of_save();
  ASSERT_EQ(::utimensat(AT_FDCWD, (machine_.directory() / "dir3/file3").c_str(), nullptr, 0), 0);
  EXPECT_EQ(requests_of_save(), 4);
}

// However many are gone, all are found in one look, and the next one takes what is left.
TEST_F(Requests, ASaveAsksTwiceForEachPackOfACacheThatLostMany) {
  make_plain_tree(machine_.directory(), 80, 500'000);
  ASSERT_EQ(machine_.save().outcome, SaveOutcome::saved);
  std::vector<store::Key> packs = objects_of(memory_);
  std::erase_if(packs, [](const store::Key& key) { return !key.text().contains("/pack/"); });
  ASSERT_GE(packs.size(), 4U);
  for (std::size_t index = 1; index < packs.size(); ++index) ASSERT_TRUE(memory_.remove(packs[index], {}));
  Machine other(store_);
  make_plain_tree(other.directory(), 80, 500'000);
  std::atomic<std::size_t> gets = 0;
  store_.before_each([&](const support::Operation& operation) {
    if (operation.verb == support::Verb::get && operation.key.contains("/pack/")) ++gets;
  });
  const SaveReport report = other.save();
  EXPECT_EQ(report.outcome, SaveOutcome::saved) << ::testing::PrintToString(report.warnings);
  EXPECT_EQ(report.warnings.size(), packs.size() - 1);
  EXPECT_LE(gets, 2 * packs.size());
  EXPECT_EQ(restored_picture(memory_), picture(other.directory()));
}

TEST_F(Requests, ARestoreMakesThreeForAPackAtMost) {
  make_plain_tree(machine_.directory(), 80, 500'000);
  ASSERT_EQ(machine_.save().outcome, SaveOutcome::saved);
  int packs = 0;
  for (const store::Key& key : all_objects_of(memory_)) packs += key.text().contains("/pack/") ? 1 : 0;
  ASSERT_GE(packs, 3);
  requests_ = 0;
  Machine other(store_);
  ASSERT_EQ(other.restore(restoring_with(16)).outcome, RestoreOutcome::hit);
  EXPECT_GE(requests_, packs + 2);
  EXPECT_LE(requests_, 3 * packs + 2);
}

}  // namespace
}  // namespace hearth::cache::testing
