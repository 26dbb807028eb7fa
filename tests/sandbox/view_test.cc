#include "sandbox/view.h"

#include "sandbox/rooms.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

class ViewTest : public testing::Test {
 protected:
  ViewTest() {
    fs::create_directories(root_ / "usr/bin");
    fs::create_directories(root_ / "etc/apt/sources.list.d");
    EXPECT_TRUE(util::write_file(root_ / "usr/bin/env", ""));
  }

  View view() const { return make_view({root_, 2000, std::nullopt}).value(); }
  bool shows(const fs::path& inside) const {
    const View made = view();
    return std::ranges::find(made.shown, inside, &View::Shown::inside) != made.shown.end();
  }
  std::string link(const fs::path& inside) const {
    for (const View::Link& one : view().links) {
      if (one.inside == inside) return one.target;
    }
    return "";
  }

  Rooms rooms_;
  fs::path root_ = rooms_.base() / "root";
};

TEST_F(ViewTest, NeedsARootFileSystem) {
  fs::remove(root_ / "usr/bin/env");
  EXPECT_EQ(make_view({root_, 2000, std::nullopt}).error().kind, ErrorKind::invalid);
}

TEST_F(ViewTest, TopFoldersAreAsInTheRoot) {
  fs::create_symlink("usr/bin", root_ / "bin");
  fs::create_directory(root_ / "lib");
  EXPECT_EQ(link("/bin"), "usr/bin");
  EXPECT_TRUE(shows("/lib"));
  EXPECT_FALSE(shows("/lib64"));
}

TEST_F(ViewTest, ShowsChosenPartsOfEtc) {
  for (const char* name : {"etc/shadow", "etc/services", "etc/apt/auth.conf", "etc/apt/sources.list"}) {
    ASSERT_TRUE(util::write_file(root_ / name, ""));
  }
  fs::create_symlink("/usr/share/zoneinfo/Europe/Paris", root_ / "etc/localtime");
  fs::create_directory(root_ / "etc/java-17-openjdk");
  EXPECT_TRUE(shows("/etc/services"));
  EXPECT_TRUE(shows("/etc/apt/sources.list"));
  EXPECT_TRUE(shows("/etc/apt/sources.list.d"));
  EXPECT_TRUE(shows("/etc/java-17-openjdk"));
  EXPECT_FALSE(shows("/etc/shadow"));
  EXPECT_FALSE(shows("/etc/apt/auth.conf"));
  EXPECT_EQ(link("/etc/localtime"), "/usr/share/zoneinfo/Europe/Paris");
}

TEST_F(ViewTest, TheBuildUserHasAName) {
  for (const View::Made& made : view().made) {
    if (made.inside == "/etc/passwd") {
      EXPECT_THAT(made.content, testing::HasSubstr("build:x:2000:2000:"));
    }
  }
}

TEST(ResolverTest, ItsServersAreReplaced) {
  EXPECT_EQ(with_name_server("# local\nnameserver 127.0.0.53\n nameserver ::1\nsearch corp.example\noptions edns0\n",
                             "10.0.2.3"),
            "nameserver 10.0.2.3\n# local\nsearch corp.example\noptions edns0\n");
  EXPECT_EQ(with_name_server("", "10.0.2.3"), "nameserver 10.0.2.3\n");
}

}  // namespace
}  // namespace hearth::sandbox
