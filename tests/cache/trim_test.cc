#include "cache/save/trim.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>

#include "cache/crash.h"
#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"
#include "cache/tree/index.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Trimmed : public ::testing::Test {
 protected:
  // `day`: when it was changed.
  void put(const std::string& path, std::size_t bytes, int day) {
    put_file(machine_.directory() / path, std::string(bytes, 'x'));
    const timespec time{.tv_sec = 1'700'000'000 + day * 86'400, .tv_nsec = 5};
    const std::array<timespec, 2> times = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, (machine_.directory() / path).c_str(), times.data(), 0), 0);
  }

  Listing list() {
    Warnings warnings;
    return walk(Directories::open(machine_.directory()).value().root(), 1, {}, warnings, {}).value();
  }

  // The files that go; checks the counts.
  std::vector<std::string> trim(std::uint64_t most, std::int64_t since = kNothingProved) {
    Listing found = list();
    const Trim trim = choose_trim({found, Directories::open(machine_.directory()).value().root(), since, kept_, most});
    std::vector<std::string> gone;
    std::uint64_t files = 0;
    for (std::size_t index = 0; index < found.size(); ++index) {
      if (!trim.goes[index]) continue;
      gone.push_back(found[index].path.text());
      files += found[index].status.is_file() ? 1U : 0U;
    }
    const std::uint64_t before = content_bytes(found);
    found.remove(trim.goes);
    EXPECT_EQ(content_bytes(found), before - trim.bytes);
    EXPECT_LE(content_bytes(found), most);
    EXPECT_EQ(files, trim.files);
    for (std::size_t index = 0; index < found.size(); ++index) {
      const std::string directory(found[index].path.directory());
      EXPECT_TRUE(directory.empty() || std::ranges::find(gone, directory) == gone.end());
    }
    return gone;
  }

  // The directory as it is becomes the newest generation that is kept.
  void keep() {
    ASSERT_EQ(machine_.save().outcome, SaveOutcome::saved);
    const HeadRead read = read_head(memory_, layout_, {}).value();
    kept_.clear();
    for (const Generation& generation : read.seen.head.generations) {
      kept_.push_back(load_manifest(memory_, layout_, read.seen.head, generation, {})->manifest);
    }
  }

  store::MemoryStore memory_;
  Machine machine_{memory_};
  const Layout layout_ = Layout::of(kDemo).value();
  std::vector<Manifest> kept_;
};

TEST_F(Trimmed, WhatFitsStays) {
  put("a/file", 100, 1);
  put("b", 100, 2);
  EXPECT_THAT(trim(200), IsEmpty());
  EXPECT_THAT(trim(1'000'000), IsEmpty());
}

TEST_F(Trimmed, WithoutGenerationsTheOldestGoFirst) {
  for (int i = 0; i < 5; ++i) put(fmt::format("dir/file{}", i), 100, 10 - i);
  EXPECT_THAT(trim(400), ElementsAre("dir/file4"));
  EXPECT_THAT(trim(250), ElementsAre("dir/file2", "dir/file3", "dir/file4"));
}

TEST_F(Trimmed, WhatWasUnusedForMoreBuildsGoesFirst) {
  put("oldest", 100, 5);
  keep();
  put("middle", 100, 3);
  keep();
  put("newest", 100, 1);
  EXPECT_THAT(trim(250), ElementsAre("oldest"));
  EXPECT_THAT(trim(150), UnorderedElementsAre("middle", "oldest"));
  EXPECT_THAT(trim(0), UnorderedElementsAre("middle", "newest", "oldest"));
  // What was touched since is new.
  put("oldest", 100, 7);
  EXPECT_THAT(trim(250), ElementsAre("middle"));
}

TEST_F(Trimmed, WhatThisBuildReadWasUsed) {
  put("read", 100, 1);
  put("unread", 100, 2);
  keep();
  const fs::path read = machine_.directory() / "read";
  const std::array<timespec, 2> times = {timespec{.tv_sec = 1'800'000'000, .tv_nsec = 0},
                                         timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  ASSERT_EQ(::utimensat(AT_FDCWD, read.c_str(), times.data(), 0), 0);
  EXPECT_THAT(trim(150), ElementsAre("read"));
  EXPECT_THAT(trim(150, std::int64_t{1'790'000'000} * 1'000'000'000), ElementsAre("unread"));
}

TEST_F(Trimmed, PackagesGoAsAWhole) {
  for (const char* package : {"one", "two"}) {
    for (int i = 0; i < 4; ++i) put(fmt::format("modules/{}/lib/{}", package, i), 10, package[0] == 'o' ? 1 : 2);
  }
  put("modules/three/old", 10, 1);
  keep();
  put("modules/three/new", 1000, 9);
  // Ten bytes too much: all of a package, and not the half that is mixed with something new.
  EXPECT_THAT(trim(1080), ElementsAre("modules/one", "modules/one/lib", "modules/one/lib/0", "modules/one/lib/1",
                                      "modules/one/lib/2", "modules/one/lib/3"));
}

TEST_F(Trimmed, ALargeDirectoryGoesChildByChild) {
  for (int i = 0; i < 10; ++i) put(fmt::format("cache/{}/file", i), 100, i);
  keep();
  EXPECT_THAT(trim(900), ElementsAre("cache/0", "cache/0/file"));
}

TEST_F(Trimmed, AnInodeCountsOnce) {
  put("a", 100, 1);
  fs::create_hard_link(machine_.directory() / "a", machine_.directory() / "b");
  put("c", 100, 2);
  EXPECT_EQ(content_bytes(list()), 200U);
  EXPECT_THAT(trim(200), IsEmpty());
  EXPECT_THAT(trim(150), UnorderedElementsAre("a", "b"));
}

TEST_F(Trimmed, LinksAndEmptyDirectoriesCostNothing) {
  put("file", 100, 1);
  fs::create_symlink("file", machine_.directory() / "link");
  fs::create_directories(machine_.directory() / "empty");
  EXPECT_THAT(trim(0), ElementsAre("file"));
}

TEST_F(Trimmed, ASaveKeepsToItAndStaysThere) {
  SaveOptions options;
  options.max_bytes = 250'000;
  const auto save = [&] { return cache::save(memory_, kDemo, machine_.directory(), machine_.index(), options, {}); };
  put("old/file", 100'000, 1);
  put("new/a", 100'000, 2);
  SaveReport report = save();
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.trimmed_files, 0U);
  put("new/b", 100'000, 3);
  report = save();
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.trimmed_files, 1U);
  EXPECT_EQ(report.trimmed_bytes, 100'000U);
  EXPECT_EQ(report.bytes, 200'000U);
  EXPECT_EQ(report.removed, 1U);
  EXPECT_TRUE(fs::exists(machine_.directory() / "old/file"));
  const Picture restored = restored_picture(memory_);
  EXPECT_FALSE(restored.contains("old/file"));
  EXPECT_TRUE(restored.contains("new/a"));
  // The same again is the same.
  report = save();
  EXPECT_EQ(report.outcome, SaveOutcome::unchanged);
  EXPECT_EQ(report.trimmed_files, 1U);
  // Nothing fits: an empty cache, and no failure.
  options.max_bytes = 1;
  report = save();
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.bytes, 0U);
}

// Generations that cannot be had say nothing, and the save goes on.
TEST_F(Trimmed, ASaveNeverFailsForIt) {
  support::FaultyStore faulty(memory_);
  SaveOptions options;
  put("a", 100'000, 1);
  ASSERT_EQ(machine_.save().outcome, SaveOutcome::saved);
  put("b", 100'000, 2);
  ASSERT_EQ(machine_.save().outcome, SaveOutcome::saved);
  const HeadRead read = read_head(memory_, layout_, {}).value();
  faulty.hide(layout_.key({read.seen.head.epoch, ObjectKind::manifest, read.seen.head.generations[1].id, 0}));
  options.max_bytes = 250'000;
  put("c", 100'000, 3);
  const SaveReport report = cache::save(faulty, kDemo, machine_.directory(), machine_.index(), options, {});
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.trimmed_bytes, 100'000U);
}

}  // namespace
}  // namespace hearth::cache::testing
