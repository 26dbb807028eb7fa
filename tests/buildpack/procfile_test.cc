#include "buildpack/procfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::buildpack {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Procfile, TakesLinesOfNameAndCommand) {
  EXPECT_THAT(
      parse_procfile("web: bundle exec puma -p $PORT\nworker_1:  run --x: y  \nclock-a:tick\n"),
      ElementsAre(Pair("clock-a", "tick"), Pair("web", "bundle exec puma -p $PORT"), Pair("worker_1", "run --x: y")));
}

TEST(Procfile, SkipsWhatIsNoProcess) {
  EXPECT_THAT(parse_procfile("# comment\n\n<<<<<<< HEAD\nweb: a\n=======\nweb: b\n>>>>>>> other: branch\n"
                             "two words: no\nempty:\n : x\n no-indent: x\nweb.1: x\n"),
              ElementsAre(Pair("web", "b")));
}

TEST(Procfile, ToleratesCarriageReturnsByteOrderMarkAndNoLastLineFeed) {
  EXPECT_THAT(parse_procfile("\xef\xbb\xbfweb: a\r\nworker: b"), ElementsAre(Pair("web", "a"), Pair("worker", "b")));
  EXPECT_THAT(parse_procfile(""), IsEmpty());
}

TEST(Procfile, IsWrittenAsAYamlMap) {
  EXPECT_EQ(write_procfile({}), "{}\n");
  EXPECT_EQ(write_procfile({{"web", "run \"it\": $PORT # now"}, {"odd name", "x\ty\x7f"}}),
            "\"odd name\": \"x\\ty\\x7f\"\nweb: \"run \\\"it\\\": $PORT # now\"\n");
}

TEST(Procfile, WritesNamesThatAreNoTextInYamlInQuotes) {
  EXPECT_EQ(write_procfile({{"12", "a"}, {"No", "b"}, {"node", "c"}, {"null", "d"}}),
            "\"12\": \"a\"\n\"No\": \"b\"\nnode: \"c\"\n\"null\": \"d\"\n");
}

TEST(Procfile, WritesBytesThatAreNoUtf8AsReplacementCharacters) {
  EXPECT_EQ(write_procfile({{"web", "a\xff"}}), "web: \"a\xef\xbf\xbd\"\n");
}

}  // namespace
}  // namespace hearth::buildpack
