// What holds for a command at every level.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "sandbox/rooms.h"
#include "util/text.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class CommandTest : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (GetParam() == Level::uid && ::geteuid() != 0) GTEST_SKIP() << "level uid needs root";
    open(rooms_.config());
  }

  void open(const Config& config) {
    sandbox_.reset();
    auto opened = sandbox::open(GetParam(), config);
    ASSERT_TRUE(opened) << opened.error().message;
    sandbox_ = std::move(*opened);
  }

  std::string tmp() const { return sandbox_->inside(rooms_.base() / "tmp"); }

  Rooms rooms_;
  std::unique_ptr<Sandbox> sandbox_;
};

// Processes of the machine whose command line contains the text, this one left out.
int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos || name == std::to_string(::getpid())) continue;
    const auto line = util::read_file(entry.path() / "cmdline");
    if (line && line->contains(text)) ++count;
  }
  return count;
}

std::ptrdiff_t open_descriptors() {
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

TEST_P(CommandTest, RunsAsTheOwner) {
  const Ran ran = run(*sandbox_, "id -u; id -g; touch " + tmp() + "/made");
  EXPECT_EQ(ran.out, fmt::format("{0}\n{0}\n", sandbox_->owner()));
  struct stat status{};
  ASSERT_EQ(::stat((rooms_.base() / "tmp/made").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, sandbox_->owner());
  EXPECT_EQ(sandbox_->level(), GetParam());
}

TEST_P(CommandTest, PassesTheExitCodeOn) {
  EXPECT_EQ(run(*sandbox_, "exit 7").exit.code, 7);
  EXPECT_EQ(run(*sandbox_, "true").exit.code, 0);
  const Ran killed = run(*sandbox_, "kill -KILL $$");
  EXPECT_EQ(killed.exit.code, 137);
  EXPECT_EQ(killed.exit.signal, SIGKILL);
  EXPECT_FALSE(killed.exit.stopped);
}

TEST_P(CommandTest, TellsWhatCannotBeExecuted) {
  Command command = bash("");
  command.argv = {"no-such-program"};
  const Ran absent = run(*sandbox_, command);
  EXPECT_EQ(absent.exit.code, 127);
  EXPECT_THAT(absent.out, HasSubstr("no-such-program"));
  ASSERT_TRUE(util::write_file(rooms_.base() / "tmp/data", "echo no\n"));
  command.argv = {tmp() + "/data"};
  EXPECT_EQ(run(*sandbox_, command).exit.code, 126);
}

TEST_P(CommandTest, ArgumentsArriveAsGiven) {
  Command command = bash("");
  command.argv = {"printf", "%s|", "", "a b", "--", "x=y", "\xff\n"};
  EXPECT_EQ(run(*sandbox_, command).out, "|a b|--|x=y|\xff\n|");
  fs::copy_file("/bin/echo", rooms_.base() / "tmp/a=b");
  command.argv = {tmp() + "/a=b", "named", "oddly"};
  EXPECT_EQ(run(*sandbox_, command).out, "named oddly\n");
}

TEST_P(CommandTest, EnvironmentIsWhatWasGiven) {
  ::setenv("HEARTH_TEST_SECRET", "never-to-be-seen", 1);
  Command command = bash("");
  command.argv = {"/usr/bin/env"};
  command.environment = {{"A", "1"}, {"EMPTY", ""}, {"LINES", "one\ntwo"}};
  EXPECT_EQ(run(*sandbox_, command).out, "A=1\nEMPTY=\nLINES=one\ntwo\n");
  command.environment = {{"PWD", "/mine"}};
  EXPECT_EQ(run(*sandbox_, command).out, "PWD=/mine\n");
}

TEST_P(CommandTest, StartsInItsDirectory) {
  Command command = bash("pwd");
  command.directory = sandbox_->inside(rooms_.base() / "tmp/build");
  EXPECT_EQ(run(*sandbox_, command).out, command.directory.native() + "\n");
}

// The fourth is the shell's own, for listing the others.
TEST_P(CommandTest, HasNoInputNoTerminalAndNoOtherDescriptors) {
  const util::Fd stray(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as a careless library opens it
  const Ran ran = run(
      *sandbox_, "readlink /proc/self/fd/0; cat; (: < /dev/tty) 2>/dev/null || echo no-terminal; echo /proc/$$/fd/*");
  EXPECT_THAT(ran.out, testing::MatchesRegex("/dev/null\nno-terminal\n/proc/[0-9]+/fd/0 /proc/[0-9]+/fd/1 "
                                             "/proc/[0-9]+/fd/2 /proc/[0-9]+/fd/3\n"));
}

TEST_P(CommandTest, KeepsTheStreamsApartOrTheirOrder) {
  const std::string script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
  const Ran apart = run(*sandbox_, bash(script, Streams::separate));
  EXPECT_EQ(apart.out, "1\n3\n");
  EXPECT_EQ(apart.err, "2\n4\n");
  EXPECT_EQ(run(*sandbox_, bash(script)).out, "1\n2\n3\n4\n");
}

// The command goes on only after its first output has arrived.
TEST_P(CommandTest, StreamsOutputAsItComes) {
  std::string out;
  const Sink sink = [&](std::string_view bytes) {
    if (out.empty()) std::ofstream(rooms_.base() / "tmp/go").put('x');
    out += bytes;
  };
  const Command command = bash("echo first; until [ -e " + tmp() + "/go ]; do sleep 0.02; done; echo last");
  ASSERT_TRUE(sandbox_->run(command, sink, sink, {}));
  EXPECT_EQ(out, "first\nlast\n");
}

TEST_P(CommandTest, PassesMuchOutputInSmallPieces) {
  std::size_t total = 0;
  std::size_t largest = 0;
  const Sink sink = [&](std::string_view bytes) {
    total += bytes.size();
    largest = std::max(largest, bytes.size());
  };
  ASSERT_TRUE(sandbox_->run(bash("head -c 100000000 /dev/zero"), sink, sink, {}));
  EXPECT_EQ(total, 100'000'000U);
  EXPECT_LE(largest, std::size_t{64} << 10);
}

TEST_P(CommandTest, ADaemonIsGoneAndHoldsNothingUp) {
  const std::string marker = fmt::format("1000.{}", ::getpid());
  const Ran ran =
      run(*sandbox_,
          fmt::format("(setsid sleep {0} &); setsid bash -c 'trap \"\" TERM HUP; touch {1}/up; sleep {0}; :' & disown; "
                      "until [ -e {1}/up ]; do sleep 0.02; done; echo done; exit 4",
                      marker, tmp()));
  EXPECT_EQ(ran.exit.code, 4);
  EXPECT_EQ(ran.out, "done\n");
  EXPECT_EQ(processes_with(marker), 0);
}

TEST_P(CommandTest, StopAsksFirst) {
  std::stop_source source;
  std::string out;
  const Sink sink = [&](std::string_view bytes) {
    out += bytes;
    if (out == "ready\n") source.request_stop();
  };
  Config patient = rooms_.config();
  patient.limits.grace = std::chrono::minutes(5);
  open(patient);
  const auto exit = sandbox_->run(bash("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done"), sink,
                                  sink, source.get_token());
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_TRUE(exit->stopped);
  EXPECT_EQ(exit->code, 5);
  EXPECT_THAT(out, HasSubstr("bye"));
}

TEST_P(CommandTest, StopSendsTheSignalThatIsToBePassedOn) {
  std::stop_source source;
  const Sink sink = [&](std::string_view) { source.request_stop(); };
  Config patient = rooms_.config();
  patient.limits.grace = std::chrono::minutes(5);
  open(patient);
  Command command = bash("trap 'exit 5' TERM; trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done");
  command.stop_signal = [] { return SIGINT; };
  const auto exit = sandbox_->run(command, sink, sink, source.get_token());
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_TRUE(exit->stopped);
  EXPECT_EQ(exit->code, 6);
}

TEST_P(CommandTest, StopEndsWhatDoesNotListen) {
  const std::string marker = fmt::format("1001.{}", ::getpid());
  std::stop_source source;
  const Sink sink = [&](std::string_view) { source.request_stop(); };
  const auto exit = sandbox_->run(
      bash(fmt::format("trap '' TERM; (setsid sleep {} &); echo ready; while :; do sleep 0.1; done", marker)), sink,
      sink, source.get_token());
  ASSERT_TRUE(exit) << exit.error().message;
  EXPECT_TRUE(exit->stopped);
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_EQ(processes_with(marker), 0);
}

TEST_P(CommandTest, StoppedBeforeItBeginsItDoesNothing) {
  std::stop_source source;
  source.request_stop();
  const Ran ran = run(*sandbox_, bash("touch " + tmp() + "/made"), source.get_token());
  EXPECT_TRUE(ran.exit.stopped);
  EXPECT_FALSE(fs::exists(rooms_.base() / "tmp/made"));
}

TEST_P(CommandTest, LimitsHold) {
  Config config = rooms_.config();
  config.limits.file_bytes = 1'000'000;
  config.limits.open_files = 100;
  open(config);
  const Ran ran =
      run(*sandbox_, fmt::format("ulimit -n; ulimit -c; head -c 3000000 /dev/zero > {}/big && echo written", tmp()));
  EXPECT_THAT(ran.out, testing::StartsWith("100\n0\n"));
  EXPECT_THAT(ran.out, Not(HasSubstr("written")));
  EXPECT_LE(fs::file_size(rooms_.base() / "tmp/big"), 1'000'000U);
}

TEST_P(CommandTest, TheNumberOfProcessesIsLimited) {
  if (GetParam() == Level::plain && ::geteuid() == 0) GTEST_SKIP() << "the kernel does not limit root's processes";
  Config config = rooms_.config();
  config.limits.processes = 40;
  open(config);
  const Ran ran = run(*sandbox_,
                      "python3 - <<'E'\n"
                      "import os, time\n"
                      "try:\n"
                      "  for i in range(2000):\n"
                      "    if os.fork() == 0: time.sleep(30); os._exit(0)\n"
                      "  print('no limit')\n"
                      "except BlockingIOError:\n"
                      "  print('limited', i < 40)\n"
                      "E");
  EXPECT_EQ(ran.out, "limited True\n");
  EXPECT_EQ(run(*sandbox_, "echo again").out, "again\n");
}

TEST_P(CommandTest, TheCacheMovesToTheBuildAndBack) {
  const Ran ran = run(
      *sandbox_,
      fmt::format(
          "cd {} && mkdir cache/modules && python3 -c 'import os; os.rename(\"cache/modules\", \"build/modules\")' && "
          "rm -rf cache && mkdir cache && touch cache/new && echo fine",
          tmp()));
  EXPECT_EQ(ran.out, "fine\n");
  EXPECT_TRUE(fs::exists(rooms_.base() / "tmp/cache/new"));
}

TEST_P(CommandTest, LeavesNothingBehindInThisProcess) {
  std::ifstream before_file("/proc/self/mountinfo");
  std::stringstream mounts_before;
  mounts_before << before_file.rdbuf();
  const auto before = open_descriptors();
  for (int i = 0; i < 3; ++i) run(*sandbox_, "(setsid sleep 100 &); echo");
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was not reaped";
  std::ifstream after_file("/proc/self/mountinfo");
  std::stringstream mounts_after;
  mounts_after << after_file.rdbuf();
  EXPECT_EQ(mounts_before.str(), mounts_after.str());
}

// Root at level plain is root: it protects nothing.
TEST_P(CommandTest, NobodyBecomesRoot) {
  if (GetParam() == Level::plain && ::geteuid() == 0) GTEST_SKIP() << "level plain as root is root already";
  const Ran ran = run(*sandbox_, "su -c id; apt-get install -y hello; [ -w /usr ] || echo usr-closed");
  EXPECT_THAT(ran.out, Not(HasSubstr("uid=0")));
  EXPECT_THAT(ran.out, HasSubstr("usr-closed"));
  EXPECT_THAT(run(*sandbox_, "grep NoNewPrivs /proc/self/status").out, HasSubstr("1"));
  EXPECT_THAT(run(*sandbox_, "grep CapEff /proc/self/status").out, HasSubstr("0000000000000000"));
}

INSTANTIATE_TEST_SUITE_P(Levels, CommandTest, testing::Values(Level::bwrap, Level::uid, Level::plain),
                         [](const auto& level) { return std::string(name(level.param)); });

TEST(FileOwner, IsNobodyWhereItIsWhoWeAre) {
  const Rooms rooms;
  const auto plain = open(Level::plain, rooms.config());
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(file_owner(**plain), std::nullopt);
  if (::geteuid() != 0) GTEST_SKIP() << "level uid needs root";
  const auto uid = open(Level::uid, rooms.config());
  ASSERT_TRUE(uid) << uid.error().message;
  EXPECT_EQ(file_owner(**uid), test_uid());
}

TEST(UidLevelTest, TakesOneBuildAtATime) {
  if (::geteuid() != 0) GTEST_SKIP() << "level uid needs root";
  const Rooms rooms;
  const auto first = open(Level::uid, rooms.config());
  ASSERT_TRUE(first) << first.error().message;
  const auto second = open(Level::uid, rooms.config());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
}

TEST(UidLevelTest, OwnershipProtects) {
  if (::geteuid() != 0) GTEST_SKIP() << "level uid needs root";
  const Rooms rooms;
  ASSERT_TRUE(util::write_file(rooms.base() / "secret", "store key", 0600));
  ::setenv("HEARTH_TEST_SECRET", "never-to-be-seen", 1);
  const auto sandbox = open(Level::uid, rooms.config());
  ASSERT_TRUE(sandbox) << sandbox.error().message;
  const Ran ran = run(**sandbox, fmt::format("cat {}/secret; cat /proc/[0-9]*/environ; cat /proc/{}/environ",
                                             rooms.base().native(), ::getpid()));
  EXPECT_THAT(ran.out, Not(HasSubstr("store key")));
  EXPECT_THAT(ran.out, Not(HasSubstr("never-to-be-seen")));
}

TEST(OpenTest, RefusesWhatCannotWork) {
  const Rooms rooms;
  Config config = rooms.config();
  // For setresuid(2) the second leaves things as they are: root.
  for (const uid_t nobody : {uid_t{0}, static_cast<uid_t>(-1)}) {
    config.build_uid = nobody;
    EXPECT_EQ(open(std::nullopt, config).error().kind, ErrorKind::invalid);
    EXPECT_EQ(open(Level::bwrap, config).error().kind, ErrorKind::invalid);
  }
  if (::geteuid() != 0) {
    EXPECT_EQ(open(Level::uid, rooms.config()).error().kind, ErrorKind::denied);
    return;
  }
  ::chmod(rooms.base().c_str(), 0700);
  const auto closed = open(std::nullopt, rooms.config());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, ErrorKind::invalid);
  EXPECT_THAT(closed.error().message, HasSubstr(rooms.base().native()));
}

}  // namespace
}  // namespace hearth::sandbox
