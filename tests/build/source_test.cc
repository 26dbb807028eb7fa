#include "build/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Entry {
  std::string name;
  mode_t type = AE_IFREG;
  std::string link;
  std::string content;
};

void write_tar(const fs::path& file, const std::vector<Entry>& entries) {
  archive* tar = archive_write_new();
  archive_write_set_format_pax_restricted(tar);
  archive_write_add_filter_gzip(tar);
  ASSERT_EQ(ARCHIVE_OK, archive_write_open_filename(tar, file.c_str()));
  for (const Entry& entry : entries) {
    archive_entry* header = archive_entry_new();
    archive_entry_set_pathname(header, entry.name.c_str());
    archive_entry_set_filetype(header, entry.type);
    archive_entry_set_perm(header, entry.type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(header, static_cast<la_int64_t>(entry.content.size()));
    archive_entry_set_mtime(header, 1000, 0);
    if (entry.type == AE_IFLNK) archive_entry_set_symlink(header, entry.link.c_str());
    archive_write_header(tar, header);
    archive_write_data(tar, entry.content.data(), entry.content.size());
    archive_entry_free(header);
  }
  archive_write_free(tar);
}

class SourceTest : public testing::Test {
 protected:
  SourceTest() { fs::create_directory(source_); }
  Result<Source> take(const std::string& source, Strip strip = Strip::automatic) {
    SourceRequest request;
    request.source = source;
    request.strip = strip;
    request.build_dir = build_;
    request.owner = std::nullopt;
    request.git = [](const fetch::Reference&) -> Result<fetch::GitAccess> {
      return fail(ErrorKind::invalid, "no git here");
    };
    return take_source(request, {});
  }
  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "source-").value());
  fs::path source_ = temp_.path() / "source";
  fs::path build_ = temp_.path() / "build";
};

TEST_F(SourceTest, CopiesADirectoryAndLeavesItAlone) {
  fs::create_directories(source_ / "sub/.git");
  fs::create_directories(source_ / ".git");
  fs::create_directories(source_ / "empty");
  ASSERT_TRUE(util::write_file(source_ / "sub/run", "#!/bin/sh\n", 0755).has_value());
  ASSERT_TRUE(util::write_file(source_ / "sub/.git/config", "x").has_value());
  ASSERT_TRUE(util::write_file(source_ / ".gitignore", "x").has_value());
  fs::create_symlink("/nowhere", source_ / "link");
  ASSERT_EQ(0, ::mkfifo((source_ / "pipe").c_str(), 0600));
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(0, ::utimensat(AT_FDCWD, (source_ / "sub/run").c_str(), old, 0));

  const auto taken = take(source_.native());
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ("#!/bin/sh\n", util::read_file(build_ / "sub/run").value());
  EXPECT_EQ("/nowhere", fs::read_symlink(build_ / "link"));
  EXPECT_TRUE(fs::is_directory(build_ / "empty"));
  EXPECT_TRUE(fs::exists(build_ / ".gitignore"));
  EXPECT_FALSE(fs::exists(build_ / ".git"));
  EXPECT_FALSE(fs::exists(build_ / "sub/.git"));
  EXPECT_FALSE(fs::exists(build_ / "pipe"));
  EXPECT_THAT(taken->warnings, testing::ElementsAre(HasSubstr("pipe")));
  struct stat copy{};
  struct stat original{};
  ASSERT_EQ(0, ::stat((build_ / "sub/run").c_str(), &copy));
  ASSERT_EQ(0, ::stat((source_ / "sub/run").c_str(), &original));
  EXPECT_EQ(0755U, copy.st_mode & 07777);
  EXPECT_GT(copy.st_mtime, 1000) << "sources count as new";
  EXPECT_EQ(1000, original.st_mtime);
}

TEST_F(SourceTest, UnpacksATarballAsItIs) {
  write_tar(temp_.path() / "app.tar.gz", {{"top", AE_IFDIR, "", ""}, {"top/file", AE_IFREG, "", "x"}});
  ASSERT_TRUE(take(temp_.path() / "app.tar.gz").has_value());
  EXPECT_EQ("x", util::read_file(build_ / "top/file").value());
}

TEST_F(SourceTest, StripsATarballsTopFolderWhenAsked) {
  write_tar(temp_.path() / "app.tar.gz", {{"top", AE_IFDIR, "", ""}, {"top/file", AE_IFREG, "", "x"}});
  ASSERT_TRUE(take(temp_.path() / "app.tar.gz", Strip::once).has_value());
  EXPECT_EQ("x", util::read_file(build_ / "file").value());
}

TEST_F(SourceTest, RefusesHostileTarballs) {
  const std::vector<std::vector<Entry>> hostile = {
      {{"../escaped", AE_IFREG, "", "x"}},
      {{"/tmp/hearth-escaped", AE_IFREG, "", "x"}},
      {{"out", AE_IFLNK, temp_.path().native(), ""}, {"out/escaped", AE_IFREG, "", "x"}},
      {{"device", AE_IFCHR, "", ""}},
  };
  for (const auto& entries : hostile) {
    write_tar(temp_.path() / "app.tar.gz", entries);
    const auto taken = take(temp_.path() / "app.tar.gz");
    ASSERT_FALSE(taken.has_value()) << entries.back().name;
    EXPECT_EQ(ErrorKind::invalid, taken.error().kind) << taken.error().message;
    EXPECT_FALSE(fs::exists(temp_.path() / "escaped"));
    ASSERT_TRUE(util::remove_tree(build_).has_value());
  }
}

TEST_F(SourceTest, NamesASourceThatDoesNotExist) {
  const auto taken = take((temp_.path() / "absent").native());
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(ErrorKind::not_found, taken.error().kind);
  EXPECT_THAT(taken.error().message, HasSubstr("absent"));
}

TEST_F(SourceTest, DoesNotTakeATextForATarball) {
  ASSERT_TRUE(util::write_file(temp_.path() / "notes.txt", "hello").has_value());
  EXPECT_FALSE(take((temp_.path() / "notes.txt").native()).has_value());
}

TEST_F(SourceTest, DoesNotCopyTheBuildIntoItself) {
  build_ = source_ / "work";
  ASSERT_TRUE(util::write_file(source_ / "file", "x").has_value());
  ASSERT_TRUE(take(source_.native()).has_value());
  EXPECT_TRUE(fs::exists(build_ / "file"));
  EXPECT_FALSE(fs::exists(build_ / "work"));
}

}  // namespace
}  // namespace hearth::build
