#include "sandbox/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "sandbox/tree.h"

namespace hearth::sandbox {

namespace {

// How often the keeper collects orphans that ended by themselves.
constexpr int kReapEveryMs = 1000;
constexpr timespec kBetweenKills{0, 1'000'000};

// All of this runs in the child of a process with many threads: system calls only.
class Keeper {
 public:
  Keeper(pid_t main, int control, int status) : main_(main), control_(control), status_(status) {}

  [[noreturn]] void run() {
    wait_for_the_end();
    while (end_all()) ::nanosleep(&kBetweenKills, nullptr);
    [[maybe_unused]] const ssize_t written = ::write(status_, &main_status_, sizeof main_status_);
    ::_exit(0);
  }

 private:
  // Until the command's process has ended, or all shall end.
  void wait_for_the_end() {
    const int ended = static_cast<int>(::syscall(SYS_pidfd_open, main_, 0));
    while (!main_ended_) {
      std::array<pollfd, 2> waiting{{{ended, POLLIN, 0}, {control_, POLLIN, 0}}};
      ::poll(waiting.data(), waiting.size(), kReapEveryMs);
      if (waiting[1].revents != 0) return;
      while (reap() > 0) {
      }
    }
  }

  pid_t reap() {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid == main_) {
      main_status_ = status;
      main_ended_ = true;
    }
    return pid;
  }

  // Children of killed children become ours, so that killing our own is enough. False when there are none left.
  bool end_all() {
    kill_children();
    pid_t pid = 0;
    while ((pid = reap()) > 0) {
    }
    return pid == 0;
  }

  static void kill_children() {
    const int file = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    std::array<char, 4096> buffer{};
    pid_t pid = 0;
    ssize_t count = 0;
    while ((count = ::read(file, buffer.data(), buffer.size())) > 0) {
      for (ssize_t i = 0; i < count; ++i) {
        const char c = buffer[static_cast<std::size_t>(i)];
        if (c >= '0' && c <= '9') {
          pid = pid * 10 + (c - '0');
        } else if (pid > 0) {
          ::kill(pid, SIGKILL);
          pid = 0;
        }
      }
    }
    ::close(file);
  }

  pid_t main_;
  int control_;
  int status_;
  int main_status_ = 0;
  bool main_ended_ = false;
};

}  // namespace

Result<Kept> Kept::start(const Launch& launch) {
  const Prepared prepared(launch);
  Pipe failure = TRY(make_pipe());
  Pipe control = TRY(make_pipe());
  Pipe status = TRY(make_pipe());
  std::vector<int> kept{control.read.get(), status.write.get()};
  std::ranges::sort(kept);
  Child keeper = TRY(fork_child([&] {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t main = ::fork();
    if (main == 0) prepared.become(failure.write.get());
    if (main < 0) ::_exit(126);
    reset_signals({});
    for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP}) ::signal(ignored, SIG_IGN);
    close_others(kept);
    Keeper(main, control.read.get(), status.write.get()).run();
  }));
  failure.write.close();
  control.read.close();
  status.write.close();
  const StartFailure told = read_failure(failure.read.get());
  return Kept(std::move(keeper), std::move(control.write), std::move(status.read), told);
}

void Kept::terminate(int number) const {
  signal_descendants(keeper_.pid(), number);
}

void Kept::kill() {
  control_.close();
  // Where the keeper cannot list its children.
  signal_descendants(keeper_.pid(), SIGKILL);
}

Result<int> Kept::wait() {
  keeper_.wait();
  int status = 0;
  const std::size_t count = TRY(util::read_full(status_.get(), std::as_writable_bytes(std::span(&status, 1))));
  if (count != sizeof status) return fail(ErrorKind::io, "the process that watches over the build was killed");
  return status;
}

}  // namespace hearth::sandbox
