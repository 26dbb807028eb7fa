#include "util/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::util {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return temp_.path() / name; }
  TempDir temp_ = TempDir::create(fs::temp_directory_path(), "hearth-file-").value();
};

TEST_F(FileTest, reads_up_to_the_limit) {
  const std::string text(3'000'000, 'x');
  ASSERT_TRUE(write_file(path("f"), text));
  EXPECT_EQ(read_file(path("f")).value(), text);
  EXPECT_EQ(read_file(path("f"), text.size()).value(), text);
  EXPECT_EQ(read_file(path("f"), text.size() - 1).error().kind, ErrorKind::invalid);
  EXPECT_EQ(read_file(path("f"), 0).error().kind, ErrorKind::invalid);
  EXPECT_EQ(read_file("/dev/zero", 1000).error().kind, ErrorKind::invalid);
  EXPECT_EQ(read_file("/dev/null", 0).value(), "");
  EXPECT_EQ(read_file(path("absent")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_file(temp_.path()).error().kind, ErrorKind::io);
}

TEST_F(FileTest, reads_pieces) {
  ASSERT_TRUE(write_file(path("f"), "0123456789"));
  const Fd fd = open_file(path("f"), O_RDONLY).value();
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(read_at(fd.get(), buffer, 8).value(), 2U);
  EXPECT_EQ(buffer[1], std::byte{'9'});
  EXPECT_EQ(read_at(fd.get(), buffer, 100).value(), 0U);
  EXPECT_EQ(read_full(fd.get(), buffer).value(), 4U);
}

TEST_F(FileTest, a_descriptor_has_one_owner) {
  Fd first = open_file("/dev/null", O_RDONLY).value();
  const int number = first.get();
  Fd second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): that is the promise
  EXPECT_EQ(second.get(), number);
  EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  second = Fd();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST_F(FileTest, replaces_a_file_or_leaves_it) {
  ASSERT_TRUE(write_file(path("f"), "old"));
  ASSERT_TRUE(replace_file(path("f"), "new", 0640));
  EXPECT_EQ(read_file(path("f")).value(), "new");
  EXPECT_EQ(static_cast<unsigned>(fs::status(path("f")).permissions()), 0640U);
  ASSERT_TRUE(make_directories(path("d/inside")));
  EXPECT_FALSE(replace_file(path("d"), "x"));
  EXPECT_EQ(replace_file(path("absent/f"), "x").error().kind, ErrorKind::not_found);
  EXPECT_EQ(std::distance(fs::directory_iterator(temp_.path()), {}), 2) << "a temporary file is left";
}

TEST_F(FileTest, makes_directories) {
  EXPECT_TRUE(make_directories(path("a/b/c")));
  EXPECT_TRUE(make_directories(path("a/b/c")));
  EXPECT_TRUE(make_directories(path("t/r/")));
  EXPECT_TRUE(fs::is_directory(path("t/r")));
  fs::create_directory_symlink(path("a"), path("link"));
  EXPECT_TRUE(make_directories(path("link/x")));
  ASSERT_TRUE(write_file(path("file"), ""));
  EXPECT_FALSE(make_directories(path("file")));
  EXPECT_FALSE(make_directories(path("file/x")));
}

TEST_F(FileTest, removes_trees_with_read_only_directories_and_links) {
  ASSERT_TRUE(write_file(path("victim"), "safe"));
  ASSERT_TRUE(make_directories(path("t/ro/deep")));
  ASSERT_TRUE(make_directories(path("t/none")));
  ASSERT_TRUE(write_file(path("t/ro/deep/f"), "", 0444));
  fs::create_symlink(path("victim"), path("t/link"));
  fs::create_directory_symlink(temp_.path(), path("t/up"));
  for (const auto& [name, mode] : std::map<std::string, mode_t>{{"t/ro/deep", 0555}, {"t/ro", 0555}, {"t/none", 0}}) {
    ASSERT_EQ(::chmod(path(name).c_str(), mode), 0);
  }
  EXPECT_TRUE(remove_tree(path("t")));
  EXPECT_FALSE(fs::exists(path("t")));
  EXPECT_EQ(read_file(path("victim")).value(), "safe");
  EXPECT_TRUE(remove_tree(path("t")));
  EXPECT_TRUE(remove_tree(path("victim")));
}

TEST_F(FileTest, removes_trees_deeper_than_a_path_may_be_long) {
  ASSERT_TRUE(make_directories(path("t")));
  Fd here = open_file(path("t"), O_RDONLY | O_DIRECTORY).value();
  for (int i = 0; i < 1500; ++i) {
    ASSERT_EQ(::mkdirat(here.get(), "dd", 0755), 0);
    ASSERT_EQ(::mkdirat(here.get(), "other", 0555), 0);
    here = Fd(::openat(here.get(), "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(here);
  }
  const Result<void> removed = remove_tree(path("t"));
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(path("t")));
}

TEST_F(FileTest, a_temporary_directory_goes_away_unless_released) {
  fs::path gone;
  fs::path kept;
  {
    const TempDir first = TempDir::create(temp_.path(), "x-").value();
    TempDir second = TempDir::create(temp_.path(), "x-").value();
    gone = first.path();
    EXPECT_EQ(static_cast<unsigned>(fs::status(gone).permissions()), 0700U);
    kept = second.release();
  }
  EXPECT_FALSE(fs::exists(gone));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_FALSE(TempDir::create(path("absent"), "x-"));
}

TEST_F(FileTest, a_lock_is_held_once) {
  {
    const FileLock lock = FileLock::try_acquire(path("lock")).value();
    EXPECT_EQ(FileLock::try_acquire(path("lock")).error().kind, ErrorKind::conflict);
  }
  EXPECT_TRUE(FileLock::try_acquire(path("lock")));
}

}  // namespace
}  // namespace hearth::util
