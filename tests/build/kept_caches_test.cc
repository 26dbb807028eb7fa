#include "build/kept_caches.h"

#include <gtest/gtest.h>

#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

class KeptCachesTest : public testing::Test {
 protected:
  void make_cache() {
    fs::create_directories(work_.cache());
    ASSERT_TRUE(util::write_file(work_.cache() / "file", "content").has_value());
  }
  fs::path place() const { return kept_caches(work_.root()) / "demo/0"; }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "kept-").value());
  WorkDir work_ = std::move(WorkDir::open(temp_.path(), "demo").value());
};

TEST_F(KeptCachesTest, AWholeOneTellsItsSize) {
  make_cache();
  ASSERT_TRUE(util::write_file(work_.own() / "index", "index").has_value());
  ASSERT_TRUE(keep_cache(work_, 7, 100).has_value());
  EXPECT_EQ("7", util::read_file(place() / "bytes").value());
  EXPECT_EQ("content", util::read_file(place() / "tree/file").value());
  drop_kept_cache(work_);
  EXPECT_FALSE(fs::exists(place()));
}

TEST_F(KeptCachesTest, NothingCountsThatCouldNotBeKept) {
  make_cache();
  EXPECT_FALSE(keep_cache(work_, 7, 100).has_value()) << "it has no index";
  EXPECT_FALSE(fs::exists(place()));
  ASSERT_TRUE(util::write_file(work_.own() / "index", "index").has_value());
  ASSERT_TRUE(util::remove_tree(work_.cache()).has_value());
  EXPECT_FALSE(keep_cache(work_, 7, 100).has_value()) << "it has no tree";
  EXPECT_FALSE(fs::exists(place()));
}

}  // namespace
}  // namespace hearth::build
