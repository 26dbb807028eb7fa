// Restores onto what the last restore or save left: only what differs is made anew, and the result is the same.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cache/engine_support.h"
#include "cache/restore/update_plan.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ino_t inode(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status.st_ino;
}

// Content that lies in many blocks, so that fetching all of it shows.
constexpr int kFiles = 40;
constexpr std::size_t kFileBytes = 100'000;

class RestoreOver : public ::testing::Test {
 protected:
  RestoreOver() {
    make_rich_tree(builder_.directory());
    make_plain_tree(builder_.directory() / "many", kFiles, kFileBytes);
    builder_.save();
    first_ = follower_.restore();
    EXPECT_EQ(first_.outcome, RestoreOutcome::hit);
  }

  // The follower gets what the builder has saved last.
  RestoreReport follow() {
    RestoreReport report = follower_.restore();
    EXPECT_EQ(report.outcome, RestoreOutcome::hit) << ::testing::PrintToString(report.warnings);
    EXPECT_EQ(picture(follower_.directory()), restored_picture(store_));
    const SaveReport save = follower_.save();
    EXPECT_EQ(save.outcome, SaveOutcome::unchanged);
    EXPECT_EQ(save.read_bytes, 0U);
    return report;
  }

  fs::path at(std::string_view path) const { return follower_.directory() / path; }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine builder_{store_};
  Machine follower_{store_};
  RestoreReport first_;
};

TEST_F(RestoreOver, OfTheSameGenerationAsksForHeadAlone) {
  const ino_t before = inode(at("many/dir0/file0"));
  int requests = 0;
  store_.before_each([&](const auto&) { ++requests; });
  const RestoreReport report = follower_.restore();
  store_.before_each({});
  EXPECT_EQ(report.outcome, RestoreOutcome::hit);
  EXPECT_EQ(requests, 1);
  EXPECT_EQ(report.fetched_bytes, 0U);
  EXPECT_EQ(report.generation, first_.generation);
  EXPECT_EQ(report.entries, first_.entries);
  EXPECT_EQ(report.bytes, first_.bytes);
  EXPECT_EQ(inode(at("many/dir0/file0")), before);
  EXPECT_EQ(picture(follower_.directory()), restored_picture(store_));
}

TEST_F(RestoreOver, OnlyTheDifferenceIsFetchedAndMade) {
  const ino_t kept = inode(at("many/dir1/file1"));
  const ino_t changed = inode(at("many/dir2/file2"));
  put_file(builder_.directory() / "many/dir2/file2", noise(kFileBytes, 500));
  put_file(builder_.directory() / "many/new/file", "new");
  wipe(builder_.directory() / "go");
  ASSERT_EQ(builder_.save().outcome, SaveOutcome::saved);
  const RestoreReport report = follow();
  EXPECT_LT(report.fetched_bytes, 2 * kFileBytes);
  EXPECT_EQ(inode(at("many/dir1/file1")), kept);
  EXPECT_NE(inode(at("many/dir2/file2")), changed);
}

TEST_F(RestoreOver, ModesAndTimesAreSetWithoutTheContent) {
  const ino_t kept = inode(at("many/dir3/file3"));
  fs::permissions(builder_.directory() / "many/dir3/file3", fs::perms(0640));
  fs::last_write_time(builder_.directory() / "many/dir4/file4", fs::file_time_type::clock::now());
  ASSERT_EQ(builder_.save().outcome, SaveOutcome::saved);
  const RestoreReport report = follow();
  EXPECT_LT(report.fetched_bytes, kFileBytes);
  EXPECT_EQ(inode(at("many/dir3/file3")), kept);
}

TEST_F(RestoreOver, WhateverHappenedToTheDirectoryIsUndone) {
  put_file(at("many/dir0/file0"), noise(kFileBytes, 600));  // as large as before
  fs::remove_all(at("a"));
  put_file(at("a"), "a file now");
  fs::remove(at("plain.txt"));
  fs::create_directories(at("plain.txt/below"));
  fs::remove(at("link"));
  fs::create_symlink("elsewhere", at("link"));
  fs::remove(at("script.sh"));
  fs::create_symlink("plain.txt", at("script.sh"));
  put_file(at("many/added/deep/file"), "x");
  fs::permissions(at("many/dir1"), fs::perms(0500));
  fs::permissions(at("unwritable"), fs::perms(0666));
  fs::last_write_time(at("empty"), fs::file_time_type::clock::now());
  fs::permissions(follower_.directory(), fs::perms(0777));
  follow();
}

TEST_F(RestoreOver, AFileIsNoLongerTakenForItselfWhereOnlyItsCtimeTells) {
  struct stat before{};
  ASSERT_EQ(::stat(at("many/dir0/file0").c_str(), &before), 0);
  put_file(at("many/dir0/file0"), noise(kFileBytes, 601));
  const std::array<timespec, 2> times = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("many/dir0/file0").c_str(), times.data(), 0), 0);
  follow();
}

// The digest of short content can be made to be that of longer content.
TEST_F(RestoreOver, ABlockOfTheSameDigestMayBeAnotherOne) {
  Machine machine(store_);
  put_file(machine.directory() / "file", std::string(1'000, 'x'));
  Warnings warnings;
  const Listing found = walk(Directories::open(machine.directory())->root(), 1, {}, warnings, {}).value();
  const Extent extent{0, 0, 1'000};
  Manifest manifest;
  manifest.entries.add({.path = "file",
                        .mode = static_cast<std::uint16_t>(found.status(0).mode & kModeMask),
                        .mtime = found.status(0).mtime,
                        .size = 1'000,
                        .target = {},
                        .extents = std::span(&extent, 1)});
  manifest.packs = {{new_id(), 0, 5'000}};
  manifest.blocks = {{.pack = 0,
                      .offset = 8,
                      .stored_bytes = 100,
                      .raw_bytes = 1'000,
                      .digest = util::sha256("stored"),
                      .encoding = Encoding::zstd}};
  Base base{.manifest = manifest, .index = Index()};
  base.index->files = {found.status(0)};
  base.index->probe = INT64_MAX;
  EXPECT_THAT(plan_update(found, base, manifest).actions, ElementsAre(Action::keep));
  for (const int change : {0, 1, 2, 3}) {
    Manifest wanted = manifest;
    if (change == 0) wanted.blocks[0].raw_bytes = 1'001;
    if (change == 1) wanted.blocks[0].stored_bytes = 99;
    if (change == 2) wanted.blocks[0].encoding = Encoding::stored;
    if (change == 3) wanted.blocks[0].offset = 9;
    const Action expected = change == 3 ? Action::keep : Action::make;
    EXPECT_THAT(plan_update(found, base, wanted).actions, ElementsAre(expected)) << change;
  }
}

TEST_F(RestoreOver, HardLinksAreJoinedAndParted) {
  fs::remove(at("a/twin"));
  put_file(at("a/twin"), "hello\n");
  fs::remove(at("many/dir5/file5"));
  fs::create_hard_link(at("many/dir6/file6"), at("many/dir5/file5"));
  follow();
  fs::remove(builder_.directory() / "zz-third");
  put_file(builder_.directory() / "zz-third", "hello\n");
  fs::create_hard_link(builder_.directory() / "many/dir6/file6", builder_.directory() / "many/dir6/same");
  ASSERT_EQ(builder_.save().outcome, SaveOutcome::saved);
  follow();
}

TEST_F(RestoreOver, WhatIsNoPartOfACacheDoesNotStay) {
  ASSERT_EQ(::mkfifo(at("many/dir0/pipe").c_str(), 0600), 0);
  follow();
}

TEST_F(RestoreOver, AnUnreadableDirectoryIsMadeAnew) {
  put_file(at("many/dir0/hidden"), "x");
  fs::permissions(at("many/dir0"), fs::perms(0));
  follow();
}

TEST_F(RestoreOver, NothingStaysWhereThereIsNoCacheAnyMore) {
  for (const store::Key& key : all_objects_of(store_)) ASSERT_TRUE(store_.remove(key, {}).has_value());
  EXPECT_EQ(follower_.restore().outcome, RestoreOutcome::miss);
  EXPECT_FALSE(fs::exists(follower_.directory()));
}

TEST_F(RestoreOver, NothingStaysWhereTheStoreIsDead) {
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(follower_.restore().outcome, RestoreOutcome::unavailable);
  EXPECT_FALSE(fs::exists(follower_.directory()));
}

TEST_F(RestoreOver, OfADamagedGenerationTheOneBeforeIsTaken) {
  const Picture before = picture(follower_.directory());
  const std::vector<store::Key> old = objects_of(store_);
  put_file(builder_.directory() / "many/dir2/file2", noise(kFileBytes, 700));
  ASSERT_EQ(builder_.save().outcome, SaveOutcome::saved);
  for (const store::Key& key : objects_of(store_)) {
    if (std::ranges::find(old, key) == old.end() && key.text().contains("/pack/")) store_.corrupt(key, 20);
  }
  const RestoreReport report = follower_.restore();
  EXPECT_EQ(report.outcome, RestoreOutcome::fallback);
  EXPECT_EQ(picture(follower_.directory()), before);
}

TEST_F(RestoreOver, OfAnotherCacheNothingIsKept) {
  Machine other(store_, "other");
  put_file(other.directory() / "file", "of the other");
  ASSERT_EQ(other.save().outcome, SaveOutcome::saved);
  const RestoreReport report =
      restore(store_, {"other", "heroku-24", "amd64"}, follower_.directory(), follower_.index(), {}, {});
  EXPECT_EQ(report.outcome, RestoreOutcome::hit);
  EXPECT_EQ(picture(follower_.directory()), picture(other.directory()));
}

TEST_F(RestoreOver, SomebodyElsesDirectoryIsLeftAlone) {
  fs::rename(follower_.directory(), follower_.place() / "moved");
  put_file(at("precious"), "x");
  const RestoreReport report = follower_.restore();
  EXPECT_EQ(report.outcome, RestoreOutcome::unavailable);
  EXPECT_TRUE(fs::exists(at("precious")));
  // It is nobody else's the next time, either, whether or not there is anything to restore.
  EXPECT_EQ(follower_.restore().outcome, RestoreOutcome::unavailable);
  for (const store::Key& key : all_objects_of(store_)) ASSERT_TRUE(store_.remove(key, {}).has_value());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(follower_.restore().outcome, RestoreOutcome::miss);
    EXPECT_TRUE(fs::exists(at("precious")));
  }
}

// What a build made where a restore found nothing is what that restore has left.
TEST_F(RestoreOver, WhatIsMadeInAnEmptyDirectoryGoes) {
  Machine machine(store_, "nobody");
  fs::create_directory(machine.directory());
  EXPECT_EQ(machine.restore().outcome, RestoreOutcome::miss);
  put_file(machine.directory() / "made", "x");
  EXPECT_EQ(machine.restore().outcome, RestoreOutcome::miss);
  EXPECT_FALSE(fs::exists(machine.directory() / "made"));
}

// A mount point is neither moved nor removed.
TEST_F(RestoreOver, WhatCanBeNeitherMovedNorRemovedEndsIt) {
  Machine machine(store_);
  fs::create_directory(machine.directory());
  if (::mount("tmpfs", machine.directory().c_str(), "tmpfs", 0, "size=16m") != 0) {
    GTEST_SKIP() << "only root can mount";
  }
  put_file(machine.directory() / "file", "x");
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  int requests = 0;
  store_.before_each([&](const auto&) { ++requests; });
  for (int round = 0; round < 2; ++round) {
    const RestoreReport report = machine.restore();
    EXPECT_EQ(report.outcome, RestoreOutcome::unavailable);
    EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("can be neither moved")));
    EXPECT_EQ(requests, 0);
  }
  store_.before_each({});
  ASSERT_EQ(::umount(machine.directory().c_str()), 0);
}

// A kill at any time leaves the directory as a whole at its place, or set aside under a name that the next restore
// knows.
TEST_F(RestoreOver, WhatAKilledRestoreHasSetAsideIsRemoved) {
  fs::rename(follower_.directory(), follower_.place() / ".cache.hearth-restore-killed");
  fs::remove(follower_.index());
  EXPECT_EQ(follower_.restore().outcome, RestoreOutcome::hit);
  EXPECT_FALSE(fs::exists(follower_.place() / ".cache.hearth-restore-killed"));
  EXPECT_EQ(picture(follower_.directory()), restored_picture(store_));
}

TEST_F(RestoreOver, AStoppedOneLeavesNothing) {
  put_file(builder_.directory() / "many/dir2/file2", noise(kFileBytes, 800));
  ASSERT_EQ(builder_.save().outcome, SaveOutcome::saved);
  std::stop_source source;
  store_.before_each([&](const auto& operation) {
    if (operation.key.find("/pack/") != std::string::npos) source.request_stop();
  });
  EXPECT_EQ(follower_.restore({}, source.get_token()).outcome, RestoreOutcome::late);
  store_.before_each({});
  EXPECT_FALSE(fs::exists(follower_.directory()));
  for (const fs::directory_entry& entry : fs::directory_iterator(follower_.place())) {
    EXPECT_EQ(entry.path().filename().native().find("hearth-restore"), std::string::npos) << entry.path();
  }
  follow();
}

}  // namespace
}  // namespace hearth::cache::testing
