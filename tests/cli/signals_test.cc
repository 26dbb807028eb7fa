#include "cli/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>

namespace hearth::cli {
namespace {

// Handlers belong to a process, so each case runs in one of its own; the value is its exit status.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void wait_for(const std::stop_token& token) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, token, [] { return false; });
}

TEST(Signals, RequestAStopAndAreRemembered) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(in_child([signal] {
                const Result<Signals> signals = Signals::install();
                ::kill(::getpid(), signal);
                wait_for(signals->token());
                return signals->received();
              }),
              signal);
  }
}

TEST(Signals, OneThatWasIgnoredStaysIgnored) {
  EXPECT_EQ(in_child([] {
              ::signal(SIGHUP, SIG_IGN);
              const Result<Signals> signals = Signals::install();
              ::raise(SIGHUP);
              return signals->token().stop_requested() ? 1 : signals->received();
            }),
            0);
}

// In the foreground of a terminal of its own.
template <class Body>
int in_terminal(Body body) {
  return in_child([&] {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (::setsid() < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return 100;
    const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
    return ::ioctl(slave, TIOCSCTTY, 0) == 0 ? body(master) : 101;
  });
}

TEST(Signals, CtrlCStopsUntilItIsLeftToTheForeground) {
  EXPECT_EQ(in_terminal([](int master) {
              const Result<Signals> signals = Signals::install();
              if (::write(master, "\x03", 1) != 1) return 102;
              wait_for(signals->token());
              return signals->received();
            }),
            SIGINT);
  EXPECT_EQ(in_terminal([](int master) {
              const Result<Signals> signals = Signals::install();
              Signals::leave_ctrl_c();
              if (::write(master, "\x03", 1) != 1) return 102;
              ::usleep(100'000);
              if (signals->token().stop_requested() || signals->received() != 0) return 103;
              ::kill(::getpid(), SIGINT);
              wait_for(signals->token());
              return signals->received();
            }),
            SIGINT)
      << "of a process it counts";
}

TEST(Signals, WritingToAClosedPipeIsAnErrorRatherThanTheEnd) {
  EXPECT_EQ(in_child([] {
              const Result<Signals> signals = Signals::install();
              int ends[2];
              if (::pipe(ends) != 0) return 2;
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 1;
            }),
            0);
}

TEST(Signals, AreThemselvesAgainAfterwards) {
  EXPECT_EQ(in_child([] {
              {
                const Result<Signals> signals = Signals::install();
              }
              ::raise(SIGTERM);
              return 0;
            }),
            128 + SIGTERM);
}

}  // namespace
}  // namespace hearth::cli
