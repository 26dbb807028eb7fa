#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "cache/engine_support.h"
#include "cache/generations/inspect.h"
#include "cache/save/assemble.h"
#include "store/local_store.h"
#include "store/memory_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Without what a save leaves out of the picture on purpose.
Picture without_set_ids(Picture picture) {
  for (auto& [path, node] : picture) node.mode &= 01777;
  return picture;
}

class SaveRestore : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(machine_.directory()); }

  SaveReport saved() {
    SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved) << ::testing::PrintToString(report.warnings);
    return report;
  }

  store::MemoryStore store_;
  Machine machine_{store_};
};

TEST_F(SaveRestore, MissingCacheIsAMissAndLeavesNothing) {
  fs::remove(machine_.directory());
  const RestoreReport report = machine_.restore();
  EXPECT_EQ(report.outcome, RestoreOutcome::miss);
  EXPECT_THAT(report.warnings, IsEmpty());
  EXPECT_FALSE(fs::exists(machine_.directory()));
  EXPECT_THAT(all_objects_of(store_), IsEmpty());
}

TEST_F(SaveRestore, WhatTheListTakesAtLeastIsKnownBeforeAnythingIsRead) {
  const auto least = [this] {
    Warnings warnings;
    const Listing found = walk(Directories::open(machine_.directory())->root(), 1, {}, warnings, {}).value();
    return least_manifest_memory(found, plan_save(found, {}));
  };
  const auto taken = [this] {
    const Layout layout = Layout::of(kName).value();
    return open_generation(store_, layout, "0", {}).value().manifest.entries.memory();
  };
  make_plain_tree(machine_.directory(), 30, 1000);
  fs::create_hard_link(machine_.directory() / "dir1/file1", machine_.directory() / "dir2/twin");
  fs::create_symlink("some/where", machine_.directory() / "dir3/link");
  put_file(machine_.directory() / "empty", "");
  saved();
  EXPECT_EQ(least(), taken());
  make_rich_tree(machine_.directory());
  saved();
  EXPECT_LT(least(), taken()) << "of large files there is more than one chunk";
}

TEST_F(SaveRestore, EverythingSurvives) {
  make_rich_tree(machine_.directory());
  const Picture before = without_set_ids(picture(machine_.directory()));
  const SaveReport save = saved();
  EXPECT_THAT(save.warnings, IsEmpty());
  EXPECT_EQ(save.entries, before.size() - 1);
  EXPECT_EQ(save.added, save.entries);

  Machine other(store_);
  const RestoreReport restore = other.restore();
  EXPECT_EQ(restore.outcome, RestoreOutcome::hit) << ::testing::PrintToString(restore.warnings);
  EXPECT_EQ(restore.generation, save.generation);
  EXPECT_EQ(restore.entries, save.entries);
  EXPECT_EQ(restore.bytes, save.bytes);
  EXPECT_EQ(picture(other.directory()), before);
  // What the restore has left is what the next save finds.
  const SaveReport again = other.save();
  EXPECT_EQ(again.outcome, SaveOutcome::unchanged);
  EXPECT_EQ(again.read_bytes, 0);
  EXPECT_EQ(again.uploaded_bytes, 0);
  EXPECT_EQ(again.uploaded_objects, 0);
  EXPECT_EQ(again.generation, save.generation);
}

TEST_F(SaveRestore, HolesStayHoles) {
  make_rich_tree(machine_.directory());
  saved();
  Machine other(store_);
  other.restore();
  for (const char* name : {"sparse", "hole"}) {
    struct stat status{};
    ASSERT_EQ(::stat((other.directory() / name).c_str(), &status), 0);
    EXPECT_LT(status.st_blocks * 512, 1 << 20) << name;
  }
}

TEST_F(SaveRestore, WorksOnFiles) {
  const util::TempDir root = util::TempDir::create(fs::temp_directory_path(), "hearth-store-").value();
  const std::unique_ptr<store::LocalStore> store = store::LocalStore::open(root.path() / "s").value();
  Machine first(*store);
  make_rich_tree(first.directory());
  make_plain_tree(first.directory() / "more", 300, 40'000);
  const Picture before = without_set_ids(picture(first.directory()));
  EXPECT_EQ(first.save().outcome, SaveOutcome::saved);
  Machine second(*store);
  EXPECT_EQ(second.restore().outcome, RestoreOutcome::hit);
  EXPECT_EQ(picture(second.directory()), before);
}

TEST_F(SaveRestore, SavingAgainReadsAndStoresNothing) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  const std::vector<store::Key> objects = all_objects_of(store_);
  const SaveReport again = machine_.save();
  EXPECT_EQ(again.outcome, SaveOutcome::unchanged);
  EXPECT_EQ(again.read_bytes, 0);
  EXPECT_EQ(again.uploaded_objects, 0);
  EXPECT_EQ(all_objects_of(store_), objects);
}

TEST_F(SaveRestore, OnlyTheChangedFileIsRead) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  put_file(machine_.directory() / "dir3/file3", noise(7000, 99));
  const Picture after = picture(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.read_bytes, 7000);
  EXPECT_EQ(report.changed, 1);  // the file; its directory was not touched
  EXPECT_EQ(report.added, 0);
  EXPECT_EQ(report.removed, 0);
  EXPECT_EQ(report.uploaded_objects, 2);
  EXPECT_LT(report.uploaded_bytes, 20'000);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, ASmallCacheRidesInItsManifest) {
  make_plain_tree(machine_.directory(), 20, 1000);
  const SaveReport first = saved();
  EXPECT_EQ(first.uploaded_objects, 1);
  put_file(machine_.directory() / "dir3/file3", noise(700, 99));
  const Picture after = picture(machine_.directory());
  const SaveReport second = saved();
  EXPECT_EQ(second.read_bytes, 700);
  EXPECT_EQ(second.uploaded_objects, 1);
  EXPECT_EQ(restored_picture(store_), after);
  // It grows out of its manifest, and shrinks again.
  make_plain_tree(machine_.directory() / "more", 100, 30'000);
  const Picture large = picture(machine_.directory());
  EXPECT_EQ(saved().uploaded_objects, 2);
  EXPECT_EQ(restored_picture(store_), large);
  wipe(machine_.directory() / "more");
  const Picture small = picture(machine_.directory());
  saved();
  EXPECT_EQ(restored_picture(store_), small);
}

TEST_F(SaveRestore, ATouchedFileIsReadAndNotStored) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  ASSERT_EQ(::utimensat(AT_FDCWD, (machine_.directory() / "dir3/file3").c_str(), nullptr, 0), 0);
  const Picture after = picture(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.read_bytes, 10'000);
  EXPECT_EQ(report.changed, 1);
  EXPECT_EQ(report.uploaded_objects, 1);  // the manifest
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, AChangedModeIsSaved) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  fs::permissions(machine_.directory() / "dir3/file3", fs::perms(0755));
  fs::permissions(machine_.directory() / "dir1", fs::perms(0700));
  const Picture after = picture(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.changed, 2);
  EXPECT_EQ(report.uploaded_objects, 1);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, AnEditThatLeavesSizeAndTimeAloneIsSeen) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  Machine other(store_);
  ASSERT_EQ(other.restore().outcome, RestoreOutcome::hit);
  const fs::path file = other.directory() / "dir3/file3";
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  // At once after the restore, so within the same tick of the file system's clock if it has a slow one.
  put_file(file, noise(10'000, 4711));
  const std::array<timespec, 2> times = {status.st_mtim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0), 0);
  const Picture after = picture(other.directory());
  EXPECT_EQ(other.save().outcome, SaveOutcome::saved);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, ARenamedTreeStoresNoContent) {
  make_plain_tree(machine_.directory() / "old", 200, 10'000);
  saved();
  fs::rename(machine_.directory() / "old", machine_.directory() / "new");
  const Picture after = picture(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.uploaded_objects, 1);
  EXPECT_LT(report.uploaded_bytes, 100'000);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, ADirectoryThatWasMadeAnewStoresNoContent) {
  make_plain_tree(machine_.directory(), 200, 10'000);
  saved();
  wipe(machine_.directory());
  make_plain_tree(machine_.directory(), 200, 10'000);
  const Picture after = picture(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.read_bytes, 2'000'000);
  EXPECT_EQ(report.uploaded_objects, 1);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, AMovedDirectoryIsKnownAllTheSame) {
  make_plain_tree(machine_.directory(), 50, 1000);
  saved();
  fs::rename(machine_.directory(), machine_.place() / "aside");
  fs::create_directory(machine_.directory());
  for (const fs::directory_entry& entry : fs::directory_iterator(machine_.place() / "aside")) {
    fs::rename(entry.path(), machine_.directory() / entry.path().filename());
  }
  EXPECT_EQ(machine_.save().read_bytes, 0);
}

TEST_F(SaveRestore, AnEmptiedCacheStaysEmpty) {
  make_plain_tree(machine_.directory(), 50, 50'000);
  saved();
  wipe(machine_.directory());
  const SaveReport report = saved();
  EXPECT_EQ(report.entries, 0);
  EXPECT_EQ(report.removed, 57);
  Machine other(store_);
  EXPECT_EQ(other.restore().outcome, RestoreOutcome::hit);
  EXPECT_THAT(fs::is_empty(other.directory()), true);
  EXPECT_EQ(other.save().outcome, SaveOutcome::unchanged);
}

TEST_F(SaveRestore, NothingIsStoredOfACacheThatWasNeverFilled) {
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::unchanged);
  wipe(machine_.directory());
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::unchanged);
  EXPECT_THAT(all_objects_of(store_), IsEmpty());
}

TEST_F(SaveRestore, OfALargeFileOnlyWhatChangedIsStored) {
  std::string content = noise(std::size_t{12} << 20, 7);
  put_file(machine_.directory() / "large", content);
  EXPECT_GT(saved().uploaded_bytes, content.size());
  content.insert(100, "inserted");
  content.replace(content.size() / 2, 5, "other");
  put_file(machine_.directory() / "large", content);
  const SaveReport report = saved();
  EXPECT_EQ(report.read_bytes, content.size());
  EXPECT_LT(report.uploaded_bytes, std::size_t{5} << 20);
  EXPECT_EQ(restored_picture(store_), picture(machine_.directory()));
}

TEST_F(SaveRestore, SpecialFilesAreLeftOutWithAWarning) {
  put_file(machine_.directory() / "file", "x");
  ASSERT_EQ(::mkfifo((machine_.directory() / "pipe").c_str(), 0600), 0);
  const SaveReport report = saved();
  ASSERT_EQ(report.warnings.size(), 1);
  EXPECT_THAT(report.warnings[0], HasSubstr("pipe"));
  EXPECT_EQ(report.entries, 1);
}

TEST_F(SaveRestore, HardLinksComeAndGo) {
  make_rich_tree(machine_.directory());
  saved();
  // The first name of the group goes, and another file gets a second name.
  fs::remove(machine_.directory() / "a/twin");
  fs::create_hard_link(machine_.directory() / "large", machine_.directory() / "a/large-twin");
  const Picture after = without_set_ids(picture(machine_.directory()));
  const SaveReport report = saved();
  EXPECT_EQ(report.uploaded_objects, 1);
  EXPECT_EQ(restored_picture(store_), after);
}

TEST_F(SaveRestore, EverythingBelongsToTheOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  make_rich_tree(machine_.directory());
  saved();
  Machine other(store_);
  RestoreOptions options;
  options.owner = 2000;
  options.threads = 3;
  ASSERT_EQ(other.restore(options).outcome, RestoreOutcome::hit);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(other.directory())) {
    struct stat status{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 2000) << entry.path();
    EXPECT_EQ(status.st_gid, 2000) << entry.path();
  }
  struct stat status{};
  ASSERT_EQ(::lstat(other.directory().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 2000);
  EXPECT_EQ(other.save().outcome, SaveOutcome::unchanged);
}

TEST_F(SaveRestore, DeadContentDoesNotPileUp) {
  make_plain_tree(machine_.directory(), 100, 40'000);
  saved();
  for (unsigned round = 1; round <= 8; ++round) {
    make_plain_tree(machine_.directory() / fmt::format("dir{}", round % 7), 30, 40'000, round);
    saved();
  }
  std::uint64_t live = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(machine_.directory())) {
    if (entry.is_regular_file()) live += entry.file_size();
  }
  Machine other(store_);
  const RestoreReport report = other.restore();
  EXPECT_EQ(picture(other.directory()), picture(machine_.directory()));
  EXPECT_EQ(report.bytes, live);
}

TEST_F(SaveRestore, RoomIsMadeOnlyWhereNothingOfOthersLies) {
  put_file(machine_.directory() / "precious", "x");
  EXPECT_FALSE(make_room(machine_.directory(), machine_.index(), Replace::no));
  EXPECT_TRUE(fs::exists(machine_.directory() / "precious"));
  saved();
  EXPECT_TRUE(make_room(machine_.directory(), machine_.index(), Replace::no));
  EXPECT_TRUE(fs::exists(machine_.directory() / "precious"));
  wipe(machine_.directory());
  EXPECT_TRUE(make_room(machine_.directory(), machine_.index(), Replace::no));
  put_file(machine_.directory() / "precious", "x");
  EXPECT_FALSE(make_room(machine_.directory(), machine_.index(), Replace::no));
  EXPECT_TRUE(make_room(machine_.directory(), machine_.index(), Replace::yes));
  put_file(machine_.directory(), "a file");
  EXPECT_FALSE(make_room(machine_.directory(), machine_.index(), Replace::yes));
}

}  // namespace
}  // namespace hearth::cache::testing
