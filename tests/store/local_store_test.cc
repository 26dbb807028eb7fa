#include "store/local_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "store/contract.h"
#include "store/local_factory.h"

namespace hearth::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LocalStoreTest : public testing::Test {
 protected:
  Result<Version> put(const std::string& name, std::string_view text, const Condition& condition = Condition::none()) {
    return store_->put(key(name), bytes_of(text), condition, {});
  }
  std::vector<std::string> drafts() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_ / ".hearth/drafts")) names.push_back(entry.path().filename());
    return names;
  }

  std::shared_ptr<util::TempDir> directory_ = temporary_directory();
  fs::path root_ = directory_->path() / "store";
  std::unique_ptr<LocalStore> store_ = open_local(root_);
};

void set_times(const fs::path& path, timespec time) {
  const std::array<timespec, 2> times{time, time};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
}

timespec modified(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mtim;
}

TEST_F(LocalStoreTest, AnObjectIsAFileOfItsOwnerAlone) {
  ASSERT_TRUE(put("apps/demo/slug.tgz", "slug"));
  EXPECT_EQ(util::read_file(root_ / "apps/demo/slug.tgz").value(), "slug");
  EXPECT_EQ(fs::status(root_ / "apps/demo/slug.tgz").permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(root_ / "apps/demo").permissions(), fs::perms(0700));
  EXPECT_THAT(drafts(), IsEmpty());
}

TEST_F(LocalStoreTest, ItsOwnFolderIsNoPlaceForObjects) {
  for (const char* name : {".hearth", ".hearth/lock-0", ".hearth/drafts/x"}) {
    EXPECT_EQ(put(name, "x").error().kind, ErrorKind::invalid);
    EXPECT_EQ(store_->get(key(name), {}, {}).error().kind, ErrorKind::invalid);
    EXPECT_EQ(store_->remove(key(name), {}).error().kind, ErrorKind::invalid);
  }
  EXPECT_TRUE(put(".hearth-not", "x"));
  EXPECT_TRUE(put("a/.hearth", "x"));
  EXPECT_THAT(keys_below(*store_, ""), ElementsAre(".hearth-not", "a/.hearth"));
}

TEST_F(LocalStoreTest, AnObjectAboveAnotherIsRefused) {
  ASSERT_TRUE(put("a/b", "1"));
  const auto above = put("a", "2");
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().kind, ErrorKind::invalid);
  const auto below = put("a/b/c/d", "3");
  ASSERT_FALSE(below);
  EXPECT_EQ(below.error().kind, ErrorKind::invalid);
  EXPECT_EQ(text_of(store_->get(key("a/b"), {}, {})->bytes), "1");
  EXPECT_EQ(put(std::string(256, 'x'), "4").error().kind, ErrorKind::invalid);
  EXPECT_THAT(drafts(), IsEmpty());
}

TEST_F(LocalStoreTest, EmptyFoldersAreNoObstacleAndDoNotStay) {
  fs::create_directories(root_ / "a/b/c");
  ASSERT_TRUE(put("a/b", "1"));
  ASSERT_TRUE(put("x/y/z", "1"));
  ASSERT_TRUE(put("x/w", "1"));
  ASSERT_TRUE(store_->remove(key("x/y/z"), {}));
  EXPECT_FALSE(fs::exists(root_ / "x/y"));
  ASSERT_TRUE(store_->remove(key("x/w"), {}));
  EXPECT_FALSE(fs::exists(root_ / "x"));
  ASSERT_TRUE(store_->remove(key("a/b"), {}));
  EXPECT_TRUE(fs::exists(root_));
}

TEST_F(LocalStoreTest, ForeignFilesAreNoObjects) {
  ASSERT_TRUE(put("a/real", "1"));
  fs::create_symlink("real", root_ / "a/link");
  fs::create_directory_symlink("/", root_ / "a/system");
  ASSERT_EQ(::mkfifo((root_ / "a/pipe").c_str(), 0600), 0);
  std::ofstream(root_ / "a/line\nbreak") << "x";
  EXPECT_THAT(keys_below(*store_, ""), ElementsAre("a/real"));
  EXPECT_EQ(store_->get(key("a/link"), {}, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store_->get(key("a/pipe"), {}, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store_->stat(key("a/link"), {}).error().kind, ErrorKind::not_found);
}

TEST_F(LocalStoreTest, NoLinkIsFollowedOnTheWayToAnObject) {
  const fs::path elsewhere = directory_->path() / "elsewhere";
  fs::create_directories(elsewhere / "empty");
  std::ofstream(elsewhere / "secret") << "x";
  ASSERT_TRUE(put("a/real", "1"));
  fs::create_directory_symlink(elsewhere, root_ / "a/link");
  EXPECT_EQ(store_->get(key("a/link/secret"), {}, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store_->stat(key("a/link/secret"), {}).error().kind, ErrorKind::not_found);
  for (const char* name : {"a/link/secret", "a/link/new", "a/link/new/deep"}) {
    const auto written = put(name, "2");
    ASSERT_FALSE(written) << name;
    EXPECT_EQ(written.error().kind, ErrorKind::invalid) << written.error().message;
  }
  EXPECT_TRUE(store_->remove(key("a/link/secret"), {}));
  EXPECT_THAT(keys_below(*store_, "a/link/"), IsEmpty());
  EXPECT_THAT(keys_below(*store_, ""), ElementsAre("a/real"));
  EXPECT_EQ(util::read_file(elsewhere / "secret").value(), "x");
  EXPECT_TRUE(fs::exists(elsewhere / "empty"));
  EXPECT_EQ(std::distance(fs::directory_iterator(elsewhere), fs::directory_iterator()), 2);
  EXPECT_THAT(drafts(), IsEmpty());
}

TEST_F(LocalStoreTest, NoLinkIsFollowedInItsOwnFolder) {
  const fs::path elsewhere = directory_->path() / "elsewhere";
  fs::create_directories(elsewhere / "drafts");
  const std::vector<fs::path> theirs = {elsewhere / "photo", elsewhere / "drafts/photo", elsewhere / "clock"};
  for (const fs::path& file : theirs) {
    std::ofstream(file) << "x";
    set_times(file, {.tv_sec = 1, .tv_nsec = 0});
  }
  const auto refuses = [&](const fs::path& link) {
    fs::remove_all(root_ / ".hearth");
    if (link != ".hearth") fs::create_directory(root_ / ".hearth");
    fs::create_symlink(link.filename() == "clock" ? elsewhere / "clock" : elsewhere, root_ / link);
    store_ = open_local(root_);
    return !put("a", "1");
  };
  EXPECT_TRUE(refuses(".hearth"));
  EXPECT_TRUE(refuses(".hearth/drafts"));
  EXPECT_FALSE(refuses(".hearth/clock")) << "this machine's clock will do";
  for (const fs::path& file : theirs) {
    EXPECT_EQ(util::read_file(file).value(), "x") << file;
    EXPECT_EQ(modified(file).tv_sec, 1) << file;
  }
  EXPECT_EQ(std::distance(fs::recursive_directory_iterator(elsewhere), fs::recursive_directory_iterator()), 4);
}

TEST_F(LocalStoreTest, TheRootMayLieBehindALink) {
  fs::create_directory_symlink(root_, directory_->path() / "link");
  store_ = open_local(directory_->path() / "link");
  ASSERT_TRUE(put("a/b", "1"));
  EXPECT_EQ(text_of(store_->get(key("a/b"), {}, {})->bytes), "1");
  EXPECT_THAT(keys_below(*store_, ""), ElementsAre("a/b"));
  EXPECT_EQ(util::read_file(root_ / "a/b").value(), "1");
}

TEST_F(LocalStoreTest, VersionsDifferEvenWhereTimesAreCoarse) {
  // As if the file system had cut the time of the first state off to a time in the future.
  const Version first = put("a", "same").value();
  timespec coarse = modified(root_ / "a");
  coarse.tv_sec += 100;
  coarse.tv_nsec = 0;
  set_times(root_ / "a", coarse);
  ASSERT_TRUE(put("a", "same"));
  const timespec next = modified(root_ / "a");
  EXPECT_TRUE(next.tv_sec > coarse.tv_sec || (next.tv_sec == coarse.tv_sec && next.tv_nsec > 0));
  EXPECT_EQ(put("a", "late", Condition::if_version(first)).error().kind, ErrorKind::conflict);
  const auto info = store_->stat(key("a"), {});
  EXPECT_GE(info->now, info->modified) << "an age is never negative";
}

TEST_F(LocalStoreTest, WhatAKilledWriterLeftIsRemovedWhenItIsOld) {
  const fs::path old = root_ / ".hearth/drafts/old";
  const fs::path young = root_ / ".hearth/drafts/young";
  const fs::path held = root_ / ".hearth/drafts/held";
  for (const fs::path& file : {old, young, held}) std::ofstream(file) << "half";
  timespec time = modified(old);
  time.tv_sec -= 3601;
  set_times(old, time);
  set_times(held, time);
  const util::Fd writer = util::open_file(held, O_RDWR).value();
  ASSERT_EQ(::flock(writer.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_THAT(keys_below(*store_, ""), IsEmpty());
  open_local(root_);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(held)) << "its writer lives";
}

TEST_F(LocalStoreTest, AFailedPutLeavesNothing) {
  ASSERT_TRUE(put("a", "1"));
  EXPECT_FALSE(put("a", "2", Condition::if_absent()));
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(store_->put(key("b"), bytes_of("2"), Condition::none(), source.get_token()));
  EXPECT_THAT(drafts(), IsEmpty());
}

TEST_F(LocalStoreTest, AHeldLockIsUnavailableAfterTheDeadline) {
  store_ = open_local(root_, {std::chrono::milliseconds(5), std::chrono::seconds(3600)});
  ASSERT_TRUE(put("a", "1"));
  std::vector<util::Fd> held;
  for (const char digit : std::string_view("0123456789abcdef")) {
    held.push_back(util::open_file(root_ / fmt::format(".hearth/lock-{}", digit), O_RDWR | O_CREAT).value());
    ASSERT_EQ(::flock(held.back().get(), LOCK_EX | LOCK_NB), 0);
  }
  const auto blocked = put("a", "2");
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(store_->remove(key("a"), {}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(text_of(store_->get(key("a"), {}, {})->bytes), "1") << "readers need no lock";
  held.clear();
  EXPECT_TRUE(put("a", "2"));
}

TEST_F(LocalStoreTest, AStopEndsTheWaitForALock) {
  ASSERT_TRUE(put("a", "1"));
  std::vector<util::Fd> held;
  for (const char digit : std::string_view("0123456789abcdef")) {
    held.push_back(util::open_file(root_ / fmt::format(".hearth/lock-{}", digit), O_RDWR | O_CREAT).value());
    ASSERT_EQ(::flock(held.back().get(), LOCK_EX | LOCK_NB), 0);
  }
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto blocked = store_->put(key("a"), bytes_of("2"), Condition::none(), source.get_token());
  EXPECT_EQ(blocked.error().kind, ErrorKind::cancelled);
}

TEST_F(LocalStoreTest, ARootThatVanishedIsNoAnswerAboutTheObject) {
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(util::remove_tree(root_));
  const auto written = put("a", "2");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::io);
  EXPECT_THAT(written.error().message, HasSubstr(root_.native()));
}

TEST_F(LocalStoreTest, ADamagedObjectThatIsTooShortIsNotInvented) {
  ASSERT_TRUE(put("a", "12345"));
  fs::resize_file(root_ / "a", 2);
  EXPECT_EQ(text_of(store_->get(key("a"), {}, {})->bytes), "12");
  EXPECT_EQ(store_->get(key("a"), {3, 1}, {}).error().kind, ErrorKind::invalid);
}

TEST(LocalStoreOpen, RefusesWhatIsNoDirectory) {
  const auto directory = temporary_directory();
  std::ofstream(directory->path() / "file") << "x";
  EXPECT_FALSE(LocalStore::open(directory->path() / "file"));
  EXPECT_FALSE(LocalStore::open(directory->path() / "file/below"));
  EXPECT_EQ(LocalStore::open("relative").error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace hearth::store
