#include "util/beneath.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

namespace hearth::util {
namespace {

namespace fs = std::filesystem;

class Beneath : public testing::Test {
 protected:
  Beneath() {
    fs::create_directories(place_.path() / "root/a");
    EXPECT_TRUE(write_file(place_.path() / "root/a/file", "inside"));
    EXPECT_TRUE(write_file(place_.path() / "secret", "outside"));
    fs::create_directory_symlink("a", place_.path() / "root/in");
    fs::create_directory_symlink("..", place_.path() / "root/out");
    fs::create_symlink("a/file", place_.path() / "root/leaf");
    root_ = open_file(place_.path() / "root", O_PATH | O_DIRECTORY).value();
  }

  // 0, or errno.
  int code(const std::string& path, Links links, int flags = O_RDONLY) const {
    return open_beneath(root_.get(), path, flags, links) ? 0 : errno;
  }

  TempDir place_ = TempDir::create(fs::temp_directory_path(), "hearth-beneath-").value();
  Fd root_;
};

TEST_F(Beneath, OpensWhatLiesBelow) {
  EXPECT_EQ(code("a/file", Links::none), 0);
  EXPECT_EQ(code("a", Links::none, O_RDONLY | O_DIRECTORY), 0);
  EXPECT_EQ(code("a/file/x", Links::none), ENOTDIR);
  EXPECT_EQ(code("b/file", Links::none), ENOENT);
}

TEST_F(Beneath, FollowsLinksOnlyInside) {
  EXPECT_EQ(code("in/file", Links::inside), 0);
  EXPECT_EQ(code("leaf", Links::inside), 0);
  EXPECT_EQ(code("out/secret", Links::inside), EXDEV);
  EXPECT_EQ(code("../secret", Links::inside), EXDEV);
  EXPECT_EQ(code((place_.path() / "secret").native(), Links::inside), EXDEV);
}

TEST_F(Beneath, FollowsNoneWhereNoneIsWanted) {
  for (const char* path : {"in/file", "leaf", "out/secret"}) EXPECT_EQ(code(path, Links::none), ELOOP) << path;
  const Fd link = open_beneath(root_.get(), "leaf", O_PATH | O_NOFOLLOW, Links::none);
  struct stat status{};
  ASSERT_TRUE(link && ::fstat(link.get(), &status) == 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
}

}  // namespace
}  // namespace hearth::util
