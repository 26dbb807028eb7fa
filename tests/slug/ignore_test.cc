#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "slug/slug.h"
#include "util/file.h"
#include "util/ignore_rules.h"
#include "util/text.h"

namespace hearth::slug {
namespace {

namespace fs = std::filesystem;

class IgnoreTest : public testing::Test {
 protected:
  fs::path app() const { return temp_.path() / "app"; }

  void SetUp() override { ASSERT_TRUE(util::make_directories(app())); }

  void put(const std::string& name) {
    ASSERT_TRUE(util::make_directories((app() / name).parent_path()));
    ASSERT_TRUE(util::write_file(app() / name, name));
  }

  // The files and links that are left, by path.
  std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(app())) {
      if (!fs::is_directory(entry.symlink_status())) names.push_back(entry.path().lexically_relative(app()).native());
    }
    std::ranges::sort(names);
    return names;
  }

  std::uint64_t apply(std::string_view rules) {
    EXPECT_TRUE(util::write_file(app() / ".slugignore", rules));
    const Result<std::uint64_t> removed = apply_ignore_file(app(), ".slugignore");
    EXPECT_TRUE(removed) << removed.error().message;
    return removed.value_or(0);
  }

  util::TempDir temp_ = util::TempDir::create(fs::temp_directory_path(), "hearth-ignore-").value();
};

const std::vector<std::string> kFiles = {
    "a.log",       "d/a.log", "d/e/a.log",    "doc/x",   "d/doc/x",   "d/doc/y.txt", "build",
    "d/build/z",   ".hidden", "d/.hidden",    "foo bar", "trail ",    "#hash",       "!bang",
    "x[1].c",      "x1.c",    "xa.c",         "x-.c",    "d/e/f/g/h", "d/f/h",       "back\\slash",
    "caf\xc3\xa9", "UPPER",   "d/e/deep.txt", "star*",   "starring",  "q?",          "qq"};

// The oracle: a .gitignore means the same, as long as no line begins with '!'.
TEST_F(IgnoreTest, means_what_git_means) {
  const std::vector<std::string> rule_files = {
      "*.log",
      "/a.log",
      "d/a.log",
      "/d/*.log",
      "doc/",
      "doc",
      "/doc",
      "build/",
      "build",
      "d/build",
      ".*",
      "foo bar",
      "foo\\ bar",
      "trail\\ ",
      "trail ",
      "\\#hash",
      "\\!bang",
      "#hash",
      "x[1].c",
      "x\\[1\\].c",
      "x[!1].c",
      "x[^a].c",
      "x[0-9].c",
      "x[a-]*.c",
      "x[[:digit:]].c",
      "x[[:alpha:]].c",
      "x[.c",
      "d/**/h",
      "**/h",
      "d/**",
      "**/e/",
      "**",
      "/**",
      "*",
      "*/",
      "d/*/h",
      "d/*",
      "/",
      "..",
      "../app",
      "./a.log",
      "d//a.log",
      "caf?",
      "caf??",
      "caf*",
      "upper",
      "back\\\\slash",
      "end\\",
      "star\\*",
      "star*",
      "q\\?",
      "q?",
      "d/e/",
      "d/e/f/",
      "e/f",
      "f/h",
      "/d/e/../a.log",
      "***",
      "d/***/h",
      "a**g",
      "**/**/h",
      "d/**/**/h",
      "[a-f].log",
      "*.log\n*.txt",
      "\n\n# x\n*.c",
      "x[]1].c",
      "x[]-a].c",
      "**/",
      "d/**/",
      "  x1.c",
  };
  for (const std::string& rules : rule_files) {
    ASSERT_TRUE(util::remove_tree(app()));
    ASSERT_TRUE(util::make_directories(app()));
    for (const std::string& name : kFiles) put(name);
    ASSERT_TRUE(util::write_file(app() / ".gitignore", rules + "\n"));
    const fs::path list = temp_.path() / "left";
    const std::string git = fmt::format(
        "cd '{}' && git init -q . && git -c core.excludesFile=/dev/null ls-files -z --others --exclude-per-directory="
        ".gitignore > '{}' && rm -rf .git .gitignore",
        app().native(), list.native());
    ASSERT_EQ(std::system(git.c_str()), 0);
    const std::string text = util::read_file(list).value();
    std::vector<std::string> expected;
    for (const std::string_view name : util::split(text, '\0')) {
      if (!name.empty() && name != ".gitignore") expected.emplace_back(name);
    }
    std::ranges::sort(expected);
    apply(rules + "\n");
    std::vector<std::string> found = left();
    std::erase(found, ".slugignore");
    EXPECT_EQ(found, expected) << "rules: " << rules;
  }
}

TEST_F(IgnoreTest, tolerates_other_line_ends_and_skips_negation) {
  for (const std::string name : {"a", "b", "c", "keep"}) put(name);
  EXPECT_EQ(apply("\xef\xbb\xbf/a\r\n# comment\r\n\r\n!b\r\nb  \r\nc"), 3U);
  EXPECT_EQ(left(), (std::vector<std::string>{".slugignore", "keep"}));
}

TEST_F(IgnoreTest, counts_what_it_removes) {
  for (const std::string name : {"d/a", "d/e/b", "x"}) put(name);
  EXPECT_EQ(apply("/d"), 4U);
  EXPECT_EQ(apply("nothing"), 0U);
}

TEST_F(IgnoreTest, never_follows_a_link_and_never_leaves) {
  const fs::path outside = temp_.path() / "outside";
  ASSERT_TRUE(util::make_directories(outside));
  ASSERT_TRUE(util::write_file(outside / "victim", "safe"));
  put("x");
  fs::create_directory_symlink(outside, app() / "link");
  EXPECT_EQ(apply("victim\nlink/victim\n/link/*\n../outside\n/../outside/victim\n/\n..\n.\nlink/\n"), 0U);
  EXPECT_TRUE(fs::exists(outside / "victim"));
  EXPECT_EQ(left(), (std::vector<std::string>{".slugignore", "link", "x"}));
  EXPECT_EQ(apply("link"), 1U);
  EXPECT_TRUE(fs::exists(outside / "victim"));
}

TEST_F(IgnoreTest, removes_from_and_with_read_only_directories) {
  for (const std::string name : {"ro/x", "ro/y", "gone/sub/z"}) put(name);
  for (const std::string name : {"gone/sub", "gone", "ro"}) ASSERT_EQ(::chmod((app() / name).c_str(), 0555), 0);
  EXPECT_EQ(apply("gone/\nx\n"), 4U);
  EXPECT_EQ(left(), (std::vector<std::string>{".slugignore", "ro/y"}));
  struct stat status{};
  ASSERT_EQ(::stat((app() / "ro").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0555U);
}

TEST_F(IgnoreTest, no_file_nothing_happens) {
  put("x");
  EXPECT_EQ(apply_ignore_file(app(), ".slugignore").value(), 0U);
}

TEST_F(IgnoreTest, what_is_no_file_is_refused) {
  fs::create_symlink("/etc/passwd", app() / "link");
  fs::create_directory(app() / "directory");
  ASSERT_EQ(::mkfifo((app() / "fifo").c_str(), 0600), 0);
  for (const std::string name : {"link", "directory", "fifo"}) {
    const Result<std::uint64_t> removed = apply_ignore_file(app(), name);
    ASSERT_FALSE(removed) << name;
    EXPECT_EQ(removed.error().kind, ErrorKind::invalid);
    EXPECT_THAT(removed.error().message, testing::HasSubstr(name));
  }
}

TEST_F(IgnoreTest, a_link_in_the_place_of_the_app_is_not_followed) {
  ASSERT_TRUE(util::write_file(app() / ".slugignore", "x\n"));
  put("x");
  fs::create_directory_symlink(app(), temp_.path() / "link");
  EXPECT_FALSE(apply_ignore_file(temp_.path() / "link", ".slugignore"));
  EXPECT_EQ(left(), (std::vector<std::string>{".slugignore", "x"}));
}

TEST_F(IgnoreTest, hard_patterns_end_soon) {
  std::string stars;
  std::string depths;
  for (int i = 0; i < 60; ++i) {
    stars += "a*";
    depths += "**/a/";
  }
  const util::IgnoreRules rules(stars + "b\n" + depths + "b\n");
  std::string path = std::string(250, 'a');
  for (int i = 0; i < 200; ++i) path += "/a";
  EXPECT_FALSE(rules.match(std::string(250, 'a'), util::PathKind::other));
  EXPECT_FALSE(rules.match(path, util::PathKind::other));
}

}  // namespace
}  // namespace hearth::slug
