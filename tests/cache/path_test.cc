#include "cache/format/path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hearth::cache {
namespace {

TEST(Path, IsADirectoryAndAName) {
  const Path path("a/b/c");
  EXPECT_EQ(path.directory(), "a/b");
  EXPECT_EQ(path.name(), "c");
  EXPECT_EQ(path.size(), 5U);
  EXPECT_EQ(Path("c").directory(), "");
  EXPECT_EQ(Path("c").name(), "c");
}

TEST(Path, LosesNothingOfAnyText) {
  for (const std::string text : {"", "a", "a/b", "/", "/a", "/a/b", "a/", "a//b", "//", "a/b/"}) {
    EXPECT_EQ(Path(text).text(), text);
    EXPECT_EQ(Path(text).size(), text.size());
  }
}

TEST(Path, IsOrderedAsItsText) {
  std::vector<std::string> texts;
  for (const char* directory : {"", "a", "a-b", "a/b", "ab", "b", "a/b/c", "\xff"}) {
    for (const char* name : {"a", "b", "-", "0", "\xff", "abc", "b/"}) {
      texts.push_back(*directory == '\0' ? name : std::string(directory) + "/" + name);
    }
  }
  for (const std::string& left : texts) {
    for (const std::string& right : texts) {
      EXPECT_EQ(Path(left) <=> Path(right), left.compare(right) <=> 0) << left << " and " << right;
      EXPECT_EQ(Path(left) == Path(right), left == right);
      // However the same text is split.
      for (std::size_t slash = left.find('/', 1); slash != std::string::npos; slash = left.find('/', slash + 1)) {
        const Path other(std::string_view(left).substr(0, slash), std::string_view(left).substr(slash + 1));
        EXPECT_EQ(other <=> Path(right), left.compare(right) <=> 0) << left << " and " << right;
      }
    }
  }
}

}  // namespace
}  // namespace hearth::cache
