#include "cli/signals.h"

#include <gtest/gtest.h>
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
