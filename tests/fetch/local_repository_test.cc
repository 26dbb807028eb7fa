#include "fetch/local_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

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

  Result<void> copy() { return copy(repository_); }
  Result<void> copy(const fs::path& from) {
    EXPECT_TRUE(util::remove_tree(copy_));
    return copy_repository(from, copy_, std::nullopt, {});
  }

  // A folder whose .git is this file.
  void point(const std::string& text) {
    fs::create_directories(tree_);
    fs::remove(tree_ / ".git");
    ASSERT_TRUE(util::write_file(tree_ / ".git", text));
  }

  // A worktree of the repository, whose HEAD is its own.
  void make_worktree() {
    fs::create_directories(repository_ / "worktrees/tree");
    ASSERT_TRUE(util::write_file(repository_ / "worktrees/tree/HEAD", "ref: refs/heads/side\n"));
    ASSERT_TRUE(util::write_file(repository_ / "worktrees/tree/commondir", "../..\n"));
    point("gitdir: " + (repository_ / "worktrees/tree").native() + "\n");
  }

  // Where we are not root, it stays ours.
  static void give_away(const fs::path& path) {
    if (::geteuid() == 0) {
      EXPECT_EQ(::lchown(path.c_str(), kSomebody, kSomebody), 0) << path;
    }
  }
  static void give_all_away(const fs::path& folder) {
    give_away(folder);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) give_away(entry.path());
  }

  // Root reads what it likes; whoever else runs this owns all that was made here.
  static void expect_refused_to_root(const Result<void>& copied, const fs::path& pointer) {
    ASSERT_EQ(copied.has_value(), ::geteuid() != 0) << pointer;
    if (copied) return;
    EXPECT_EQ(copied.error().kind, ErrorKind::invalid);
    EXPECT_THAT(copied.error().message, testing::StartsWith(pointer.native() + " is in the hands of uid 12345"));
    EXPECT_THAT(copied.error().message, HasSubstr("git clone"));
  }

  static constexpr uid_t kSomebody = 12345;

  util::TempDir place_ = util::TempDir::create(fs::temp_directory_path(), "hearth-repository-").value();
  fs::path repository_ = place_.path() / "repository";
  fs::path copy_ = place_.path() / "copy";
  fs::path tree_ = place_.path() / "tree";
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

TEST_F(LocalRepository, APointerToWhatIsItsOwnersIsFollowed) {
  const auto expect_copies = [&](const std::string& whose) {
    fs::remove(tree_ / ".git");
    fs::create_directory_symlink("../repository", tree_ / ".git");
    if (whose == "somebody's") give_away(tree_ / ".git");
    Result<void> copied = copy(tree_);
    EXPECT_TRUE(copied) << whose << ": " << copied.error().message;
    point("gitdir: ../repository\n");
    if (whose == "somebody's") give_away(tree_ / ".git");
    copied = copy(tree_);
    EXPECT_TRUE(copied) << whose << ": " << copied.error().message;
    EXPECT_EQ(util::read_file(copy_ / "HEAD").value(), "ref: refs/heads/main\n");
    make_worktree();
    if (whose == "somebody's") give_all_away(tree_);
    if (whose != "ours") give_all_away(repository_);
    copied = copy(tree_);
    EXPECT_TRUE(copied) << whose << ": " << copied.error().message;
    EXPECT_EQ(util::read_file(copy_ / "HEAD").value(), "ref: refs/heads/side\n");
    EXPECT_TRUE(fs::exists(copy_ / "packed-refs")) << "of the main repository";
  };
  fs::create_directories(tree_);
  expect_copies("ours");
  give_all_away(repository_);
  expect_copies("ours, to somebody's");
  give_all_away(tree_);
  expect_copies("somebody's");
}

// What root may read is not read for those who may not.
TEST_F(LocalRepository, APointerToWhatIsNotItsOwnersIsRefusedToRoot) {
  fs::create_directories(tree_);
  give_away(tree_);
  fs::create_directory_symlink(repository_, tree_ / ".git");
  give_away(tree_ / ".git");
  expect_refused_to_root(copy(tree_), tree_ / ".git");
  point("gitdir: " + repository_.native() + "\n");
  expect_refused_to_root(copy(tree_), tree_ / ".git");  // root's file, which somebody may have moved there
  give_away(tree_ / ".git");
  expect_refused_to_root(copy(tree_), tree_ / ".git");
  EXPECT_EQ(copy_submodules(tree_, copy_, std::nullopt, {}).has_value(), ::geteuid() != 0);
  const fs::path own = tree_ / ".git";
  fs::remove(own);
  fs::create_directories(own);
  ASSERT_TRUE(util::write_file(own / "HEAD", "ref: refs/heads/main\n"));
  ASSERT_TRUE(util::write_file(own / "commondir", repository_.native()));
  give_all_away(own);
  expect_refused_to_root(copy(tree_), own / "commondir");
}

TEST_F(LocalRepository, APointerIsAFileThatLeadsToAFolder) {
  point("gitdir: ../absent\n");
  EXPECT_EQ(copy(tree_).error().kind, ErrorKind::not_found);
  point("gitdir: ../repository/HEAD\n");
  EXPECT_EQ(copy(tree_).error().kind, ErrorKind::not_found);
  fs::create_symlink(tree_ / ".git", repository_ / "commondir");
  const auto linked = copy();
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().kind, ErrorKind::invalid);
  EXPECT_THAT(linked.error().message, HasSubstr("commondir is a link"));
}

TEST_F(LocalRepository, OnlyAFileIsItsConfiguration) {
  const std::string sha256 = "[extensions]\n\tobjectformat = sha256\n";
  const fs::path config = repository_ / "config";
  ASSERT_TRUE(util::write_file(config, sha256));
  ASSERT_TRUE(copy());
  EXPECT_THAT(util::read_file(copy_ / "config").value(), HasSubstr("sha256"));
  fs::rename(config, place_.path() / "aside");
  fs::create_symlink(place_.path() / "aside", config);
  ASSERT_TRUE(copy());
  EXPECT_THAT(util::read_file(copy_ / "config").value(), Not(HasSubstr("sha256")));
  fs::remove(config);
  ASSERT_EQ(::mkfifo(config.c_str(), 0600), 0);
  ASSERT_TRUE(copy()) << "nobody writes to it, and nobody waits";
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
