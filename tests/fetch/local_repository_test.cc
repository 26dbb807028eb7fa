#include "fetch/local_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "util/file.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LocalRepository : public testing::Test {
 protected:
  LocalRepository() {
    fs::create_directories(repository_ / "objects/info");
    fs::create_directories(repository_ / "refs/heads");
    EXPECT_TRUE(util::write_file(repository_ / "HEAD", "ref: refs/heads/main\n"));
    EXPECT_TRUE(util::write_file(repository_ / "packed-refs", "# pack-refs\n"));
    fs::create_directories(place_.path() / "private/objects");
    EXPECT_TRUE(util::write_file(place_.path() / "private/HEAD", "secret"));
  }

  Result<void> copy() {
    EXPECT_TRUE(util::remove_tree(copy_));
    return copy_repository(repository_, copy_, std::nullopt, {});
  }

  util::TempDir place_ = util::TempDir::create(fs::temp_directory_path(), "hearth-repository-").value();
  fs::path repository_ = place_.path() / "repository";
  fs::path copy_ = place_.path() / "copy";
};

TEST_F(LocalRepository, RefsAndObjectsAreCopied) {
  const auto copied = copy();
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(util::read_file(copy_ / "HEAD").value(), "ref: refs/heads/main\n");
  EXPECT_EQ(util::read_file(copy_ / "packed-refs").value(), "# pack-refs\n");
  EXPECT_TRUE(fs::is_directory(copy_ / "objects/info") && fs::is_directory(copy_ / "refs/heads"));
  EXPECT_FALSE(fs::exists(copy_ / "shallow"));
}

// What its owner may not read is not read for them.
TEST_F(LocalRepository, ALinkInItIsRefused) {
  for (const char* name : {"packed-refs", "shallow", "HEAD"}) {
    const fs::path file = repository_ / name;
    const std::string before = util::read_file(file).value_or("");
    fs::remove(file);
    fs::create_symlink(place_.path() / "private/HEAD", file);
    const auto copied = copy();
    ASSERT_FALSE(copied) << name;
    EXPECT_EQ(copied.error().kind, ErrorKind::invalid);
    EXPECT_THAT(copied.error().message, HasSubstr(name));
    fs::remove(file);
    ASSERT_TRUE(util::write_file(file, before));
  }
  for (const char* name : {"objects", "refs"}) {
    fs::rename(repository_ / name, place_.path() / "aside");
    fs::create_directory_symlink(place_.path() / "private/objects", repository_ / name);
    const auto copied = copy();
    ASSERT_FALSE(copied) << name;
    EXPECT_EQ(copied.error().kind, ErrorKind::invalid);
    fs::remove(repository_ / name);
    fs::rename(place_.path() / "aside", repository_ / name);
  }
  EXPECT_TRUE(copy());
}

TEST_F(LocalRepository, ALinkIsNoSubmodule) {
  fs::create_directories(repository_ / "modules/real/objects");
  ASSERT_TRUE(util::write_file(repository_ / "modules/real/HEAD", "x"));
  fs::create_directory_symlink(place_.path() / "private", repository_ / "modules/linked");
  const auto copied = copy_submodules(repository_, copy_, std::nullopt, {});
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(copied->size(), 1U);
  EXPECT_TRUE(copied->contains("real"));
}

}  // namespace
}  // namespace hearth::fetch
