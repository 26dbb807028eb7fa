#include "sandbox/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "util/text.h"

namespace hearth::sandbox {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  // execve(2) takes char* for historical reasons and writes nothing.
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

char* mutable_text(const char* text) {
  return const_cast<char*>(text);
}

// Standard descriptors first move out of the way of each other, then to their places.
int place_standard(const std::array<int, 3>& wanted) {
  std::array<int, 3> moved{};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const int source = wanted[i] >= 0 ? wanted[i] : ::open("/dev/null", O_RDWR | O_CLOEXEC);
    moved[i] = ::fcntl(source, F_DUPFD_CLOEXEC, 3);
    if (moved[i] < 0) return errno;
  }
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (::dup2(moved[i], static_cast<int>(i)) < 0) return errno;
  }
  return 0;
}

// Raw calls: the C library's own ones talk to threads that the child does not have.
int change_identity(uid_t id) {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  if (::syscall(SYS_setresgid, id, id, id) != 0) return errno;
  if (::syscall(SYS_setresuid, id, id, id) != 0) return errno;
  return 0;
}

int apply(const Launch& launch) {
  if (launch.session == Session::own && ::setsid() < 0) return errno;
  if (const int code = place_standard(launch.standard)) return code;
  for (const int fd : launch.namespaces) {
    if (::setns(fd, 0) != 0) return errno;
  }
  for (const ResourceLimit& limit : launch.limits) {
    if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &limit.value) != 0) return errno;
  }
  if (launch.identity) {
    if (const int code = change_identity(*launch.identity)) return code;
  }
  if (launch.death == Death::with_parent && ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (launch.privileges == Privileges::no_new && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return 0;
}

void report(int failure, StartFailure::Step step, int code) {
  const StartFailure told{step, code};
  // Nobody to tell if this fails; the exit code remains.
  [[maybe_unused]] const ssize_t written = ::write(failure, &told, sizeof told);
}

// While it lives no signal is delivered to this thread, so that no handler of ours runs in a child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Prepared::Prepared(const Launch& launch)
    : launch_(launch), argv_(pointers(launch.argv)), environment_(pointers(launch.environment)), kept_(launch.kept) {
  std::ranges::sort(kept_);
  for (const std::string& program : launch.programs) {
    std::vector<char*> argv{mutable_text("/bin/sh"), mutable_text(program.c_str())};
    argv.insert(argv.end(), argv_.begin() + 1, argv_.end());
    shell_argv_.push_back(std::move(argv));
  }
}

int Prepared::execute() const {
  int worst = ENOENT;
  for (std::size_t i = 0; i < launch_.programs.size(); ++i) {
    ::execve(launch_.programs[i].c_str(), argv_.data(), environment_.data());
    // As execvp: a script without #! is the shell's.
    if (errno == ENOEXEC) ::execve("/bin/sh", shell_argv_[i].data(), environment_.data());
    if (errno != ENOENT && errno != ENOTDIR) worst = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  return worst;
}

void Prepared::become(int failure) const {
  // The pipe's end must survive what follows, and must not be one of 0, 1, 2.
  const int told = ::fcntl(failure, F_DUPFD_CLOEXEC, 3);
  reset_signals(launch_.ignored_signals);
  if (const int code = apply(launch_)) {
    report(told, StartFailure::Step::prepare, code);
    ::_exit(126);
  }
  if (::chdir(launch_.directory.c_str()) != 0) {
    report(told, StartFailure::Step::directory, errno);
    ::_exit(126);
  }
  // Close-on-exec for all, then not for those that it gets; `told` closes by the exec itself.
  if (::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0) {
    for (int fd = 3; fd < 65536; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  for (const int fd : kept_) ::fcntl(fd, F_SETFD, 0);
  const int code = execute();
  report(told, StartFailure::Step::execute, code);
  ::_exit(code == ENOENT ? 127 : 126);
}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Child::~Child() {
  if (pid_ < 0) return;
  signal(SIGKILL);
  wait();
}

int Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void Child::signal(int number) const {
  // Unreaped, so the number is still its own.
  if (pid_ > 0) ::kill(pid_, number);
}

Result<Child> fork_child(const std::function<void()>& body) {
  pid_t pid = -1;
  {
    const SignalsBlocked blocked;
    pid = ::fork();
    if (pid == 0) {
      body();
      ::_exit(126);
    }
  }
  if (pid < 0) return fail_errno(errno, "fork");
  util::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  Child child(pid, std::move(pidfd));
  if (child.ended() < 0) return fail_errno(errno, "pidfd_open (Linux 5.3 or newer is needed)");
  return child;
}

StartFailure read_failure(int failure) {
  StartFailure told;
  const auto count = util::read_full(failure, std::as_writable_bytes(std::span(&told, 1)));
  return count && *count == sizeof told ? told : StartFailure{};
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  return Pipe{util::Fd(ends[0]), util::Fd(ends[1])};
}

void close_others(const std::vector<int>& kept) {
  unsigned first = 3;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > first) ::syscall(SYS_close_range, first, number - 1, 0U);
    first = std::max(first, number + 1);
  }
  ::syscall(SYS_close_range, first, ~0U, 0U);
}

void reset_signals(const std::vector<int>& ignored) {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int number : ignored) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<Child> start(const Launch& launch) {
  const Prepared prepared(launch);
  Pipe failure = TRY(make_pipe());
  Child child = TRY(fork_child([&] { prepared.become(failure.write.get()); }));
  failure.write.close();
  const StartFailure told = read_failure(failure.read.get());
  if (told.step != StartFailure::Step::none) {
    return fail_errno(told.code, fmt::format("starting {}", launch.argv.front()));
  }
  return child;
}

std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  const std::string folders = fmt::format("{}:/usr/bin:/usr/sbin:/bin:/sbin", path != nullptr ? path : "");
  for (const std::string_view folder : util::split(folders, ':')) {
    if (!folder.starts_with('/')) continue;
    std::string candidate = fmt::format("{}/{}", folder, name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace hearth::sandbox
