#include "build/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hearth::build {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Capture {
  std::string log;
  std::string diagnostics;

  Console console(LogTarget target = LogTarget::file, LogFormat format = LogFormat::text) {
    return {.log = [this](std::string_view bytes) { log += bytes; },
            .diagnostics = [this](std::string_view line) { (diagnostics += line) += '\n'; },
            .progress = {},
            .target = target,
            .colours = Colours::off,
            .format = format};
  }
};

std::chrono::system_clock::time_point noon() {
  return std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + std::chrono::hours(12);
}

TEST(Log, SpeaksInHerokusForm) {
  Capture capture;
  Log log(capture.console(), {}, noon);
  log.heading("Restoring cache...");
  log.line("12 entries");
  log.warning("too large");
  EXPECT_EQ("-----> Restoring cache...\n       12 entries\n !     too large\n", capture.log);
  EXPECT_EQ(
      "2026-01-31T12:00:00Z -----> Restoring cache...\n2026-01-31T12:00:00Z        12 entries\n"
      "2026-01-31T12:00:00Z  !     too large\n",
      log.kept());
}

TEST(Log, PassesABuildpacksOutputAsItIs) {
  Capture capture;
  Log log(capture.console(), {}, noon);
  log.output("-----> Installing\n       a\xff\x80");
  EXPECT_EQ("-----> Installing\n       a\xff\x80", capture.log) << "the beginning of a line is shown at once";
  log.output("b\nlast");
  log.end_output();
  log.heading("Next");
  EXPECT_EQ(
      "-----> Installing\n       a\xff\x80"
      "b\nlast\n-----> Next\n",
      capture.log);
  EXPECT_THAT(log.kept(), HasSubstr("Z        a\xff\x80"
                                    "b\n"));
}

TEST(Log, KeepsTheLastStateOfARewrittenLine) {
  const std::string text = "start\n10%\r50%\r100%\nplain\r\nend\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Capture capture;
    Log log(capture.console(), {}, noon);
    log.output(text.substr(0, cut));
    log.output(text.substr(cut));
    log.end_output();
    EXPECT_THAT(log.kept(), HasSubstr("Z 100%\n2026")) << cut;
    EXPECT_THAT(log.kept(), Not(HasSubstr("50%"))) << cut;
    EXPECT_THAT(log.kept(), HasSubstr("Z plain\n2026")) << cut;
    EXPECT_THAT(capture.log, Not(HasSubstr("50%"))) << cut;
    EXPECT_THAT(capture.log, EndsWith("100%\nplain\nend\n")) << cut;
  }
}

TEST(Log, LeavesProgressToATerminal) {
  Capture capture;
  Log log(capture.console(LogTarget::terminal), {}, noon);
  log.output("10%\r");
  log.output("20%");
  log.end_output();
  EXPECT_EQ("10%\r20%\n", capture.log);
}

TEST(Log, MasksInEverythingThatLeavesIt) {
  Capture capture;
  Log log(capture.console(), {"topsecret"}, noon);
  log.output("a tops");
  log.output("ecret b\n");
  log.line("is topsecret");
  log.note("kept topsecret");
  EXPECT_EQ("a ******** b\n       is ********\n", capture.log);
  EXPECT_THAT(log.kept(), Not(HasSubstr("topsecret")));
}

TEST(Log, WritesOneJsonObjectPerLine) {
  Capture capture;
  Log log(capture.console(LogTarget::file, LogFormat::json), {}, noon);
  log.heading("Hi");
  log.output("a \"quoted\" \xff line\n");
  EXPECT_EQ(
      "{\"time\":\"2026-01-31T12:00:00Z\",\"from\":\"hearth\",\"line\":\"-----> Hi\"}\n"
      "{\"time\":\"2026-01-31T12:00:00Z\",\"from\":\"buildpack\",\"line\":\"a \\\"quoted\\\" \xef\xbf\xbd line\"}\n",
      capture.log);
}

TEST(Log, BoundsALineThatNeverEnds) {
  Capture capture;
  Log log(capture.console(LogTarget::file, LogFormat::json), {}, noon);
  const std::string piece(std::size_t{100} << 10, 'x');
  log.output(piece);
  EXPECT_THAT(capture.log, StartsWith("{"));
  log.end_output();
  EXPECT_EQ(piece.size(), static_cast<std::size_t>(std::ranges::count(log.kept(), 'x')));
}

TEST(KeptLog, CutsTheMiddleOutOfALongLog) {
  KeptLog kept(noon);
  const std::string line(1000, 'x');
  kept.add("first");
  for (std::size_t bytes = 0; bytes < KeptLog::kHead + 4 * KeptLog::kTail; bytes += line.size()) kept.add(line);
  kept.add("last");
  const std::string text = kept.text();
  EXPECT_LE(text.size(), KeptLog::kHead + 2 * KeptLog::kTail + 100);
  EXPECT_THAT(text.substr(0, 40), HasSubstr("first"));
  EXPECT_THAT(text.substr(text.size() - 10), EndsWith("last\n"));
  EXPECT_NE(std::string::npos, text.find(" of log cut out here]\n"));
}

}  // namespace
}  // namespace hearth::build
