#include "build/work_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build/build.h"
#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

class WorkDirTest : public testing::Test {
 protected:
  fs::path root() const { return temp_.path() / "work"; }
  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "work-dir-").value());
};

TEST_F(WorkDirTest, IsAtOnePathInEveryBuild) {
  fs::path first;
  {
    const auto work = WorkDir::open(root(), "demo");
    ASSERT_TRUE(work.has_value()) << work.error().message;
    first = work->build();
    ASSERT_TRUE(util::write_file(first / "file", "x").has_value());
  }
  EXPECT_FALSE(fs::exists(first));
  const auto work = WorkDir::open(root(), "demo");
  ASSERT_TRUE(work.has_value());
  EXPECT_EQ(first, work->build());
  EXPECT_TRUE(fs::is_empty(first));
}

TEST_F(WorkDirTest, IsNeverSharedByTwoBuilds) {
  const auto one = WorkDir::open(root(), "demo");
  const auto two = WorkDir::open(root(), "demo");
  const auto other = WorkDir::open(root(), "other");
  ASSERT_TRUE(one.has_value() && two.has_value() && other.has_value());
  EXPECT_NE(one->build(), two->build());
  EXPECT_NE(one->build(), other->build());
  EXPECT_EQ("0", other->tmp().parent_path().filename());
}

TEST_F(WorkDirTest, CannotLeaveTheRoot) {
  const auto work = WorkDir::open(root(), "../..");
  ASSERT_TRUE(work.has_value());
  EXPECT_THAT(work->build().native(), testing::StartsWith(fs::canonical(root()).native() + "/apps/"));
}

TEST_F(WorkDirTest, IsHeldByWhoeverHasItsLock) {
  auto work = WorkDir::open(root(), "demo");
  ASSERT_TRUE(work.has_value());
  const fs::path path = work->tmp().parent_path();
  WorkDir::Held held = work->release();
  EXPECT_EQ(path, held.path);
  EXPECT_NE(path, WorkDir::open(root(), "demo").value().tmp().parent_path()) << "it is not free";
  remove_abandoned(root());
  EXPECT_TRUE(fs::exists(path));
  {
    const WorkDir adopted = WorkDir::adopt(std::move(held));
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(path, WorkDir::open(root(), "demo").value().tmp().parent_path());
}

TEST_F(WorkDirTest, LeavesNothingOfAKilledBuild) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto work = WorkDir::open(root(), "demo");
    if (work && ::mkdir((work->build() / "left").c_str(), 0555) == 0) ::_exit(0);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(0, status);
  ASSERT_TRUE(fs::exists(root() / "apps/demo/0/tmp/build/left"));
  const auto held = WorkDir::open(root(), "other");
  ASSERT_TRUE(held.has_value());
  remove_abandoned(root());
  EXPECT_FALSE(fs::exists(root() / "apps/demo/0"));
  EXPECT_TRUE(fs::exists(held->build())) << "a build that is running keeps its directory";
}

TEST_F(WorkDirTest, RefusesARootThatOthersWriteTo) {
  fs::create_directory(root());
  ASSERT_EQ(0, ::chmod(root().c_str(), 0777));
  const auto work = WorkDir::open(root(), "demo");
  ASSERT_FALSE(work.has_value());
  EXPECT_EQ(ErrorKind::denied, work.error().kind);
}

TEST_F(WorkDirTest, SaysWhichDirectoryIsClosedToTheBuildUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root hands a directory to another user";
  const auto work = WorkDir::open(root(), "demo");
  ASSERT_TRUE(work.has_value());
  const auto handed = work->hand_over(2000);
  ASSERT_FALSE(handed.has_value()) << "the directory above is 0700";
  EXPECT_THAT(handed.error().message, testing::HasSubstr(temp_.path().native()));
  ASSERT_EQ(0, ::chmod(temp_.path().c_str(), 0711));
  EXPECT_TRUE(work->hand_over(2000).has_value());
}

}  // namespace
}  // namespace hearth::build
