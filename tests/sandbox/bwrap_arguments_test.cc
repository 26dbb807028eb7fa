#include "sandbox/bwrap_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::sandbox {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

class BwrapArgumentsTest : public testing::Test {
 protected:
  BwrapArgumentsTest() {
    config_.tmp_dir = "/room/tmp";
    config_.app_dir = "/room/app";
  }

  std::vector<std::string> options() const { return bwrap_options({view_, {10}, config_, command_, 2000, 9}); }
  // The options from this one on, `count` of them.
  std::vector<std::string> from(const std::string& option, std::size_t count) const {
    const auto all = options();
    const auto at = std::ranges::find(all, option);
    const auto left = static_cast<std::size_t>(all.end() - at);
    return {at, at + static_cast<std::ptrdiff_t>(std::min(count, left))};
  }

  View view_{.shown = {{"/stack/usr", "/usr"}}, .links = {{"usr/bin", "/bin"}}, .made = {{"text", "/etc/hosts"}}};
  Config config_;
  Command command_{.argv = {"bin/compile", "a"}, .environment = {{"K", "v"}}, .directory = "/tmp/build"};
};

TEST_F(BwrapArgumentsTest, SayWhatIsSeen) {
  EXPECT_THAT(from("--ro-bind", 3), ElementsAre("--ro-bind", "/stack/usr", "/usr"));
  EXPECT_THAT(from("--symlink", 3), ElementsAre("--symlink", "usr/bin", "/bin"));
  EXPECT_THAT(from("--ro-bind-data", 3), ElementsAre("--ro-bind-data", "10", "/etc/hosts"));
  EXPECT_THAT(from("--bind", 6), ElementsAre("--bind", "/room/tmp", "/tmp", "--bind", "/room/app", "/app"));
  EXPECT_THAT(from("--chdir", 6), ElementsAre("--chdir", "/tmp/build", "--clearenv", "--setenv", "K", "v"));
  EXPECT_THAT(from("--uid", 4), ElementsAre("--uid", "2000", "--gid", "2000"));
}

TEST_F(BwrapArgumentsTest, ClosesTheRootAfterAllMountPointsAreMade) {
  config_.sockets = {{"/agent", "/run-agent"}};
  const auto all = options();
  const auto socket = std::ranges::find(all, "/run-agent");
  const auto close = std::ranges::find(socket, all.end(), "--remount-ro");
  ASSERT_NE(close, all.end());
  EXPECT_EQ(*(close + 1), "/");
}

TEST_F(BwrapArgumentsTest, LeavesOutWhatUsrShowsAlready) {
  config_.read_only = {{"/usr/share/ca.pem", "/usr/share/ca.pem"}, {"/opt/ca.pem", "/opt/ca.pem"}};
  EXPECT_THAT(options(), Not(Contains("/usr/share/ca.pem")));
  EXPECT_THAT(options(), Contains("/opt/ca.pem"));
}

TEST_F(BwrapArgumentsTest, TheTerminalIsKeptOnlyWhereItIsInherited) {
  EXPECT_THAT(options(), Contains("--new-session"));
  command_.streams = Streams::inherited;
  EXPECT_THAT(options(), Not(Contains("--new-session")));
  EXPECT_THAT(payload_argv(command_), Contains("--default-signal=HUP,INT,QUIT,TERM"));
}

TEST_F(BwrapArgumentsTest, ThePayloadIsStartedByEnv) {
  EXPECT_THAT(payload_argv(command_), ElementsAre("/usr/bin/env", "-u", "PWD", "--", "bin/compile", "a"));
  command_.environment.emplace_back("PWD", "/x");
  EXPECT_THAT(payload_argv(command_), ElementsAre("/usr/bin/env", "-u", "PWD", "--", "PWD=/x", "bin/compile", "a"));
  command_.argv = {"/tmp/a=b"};
  EXPECT_EQ(payload_argv(command_).front(), "/bin/sh");
}

TEST(JoinedTest, EndsEachOptionWithANul) {
  EXPECT_EQ(joined({"--a", "", "b"}), std::string("--a\0\0b\0", 7));
}

}  // namespace
}  // namespace hearth::sandbox
