// Starts other programs from a process with many threads: everything is prepared before the fork, and the child makes
// system calls only.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "util/error.h"
#include "util/file.h"

namespace hearth::sandbox {

enum class Session { own, inherited };          // own: setsid, no controlling terminal
enum class Privileges { as_they_are, no_new };  // no_new: setuid programs gain nothing
enum class Death { independent, with_parent };  // with_parent: killed when the *thread* that started it ends

struct ResourceLimit {
  int resource = 0;
  rlimit value{};
};

// One program to start. Descriptors stay owned by the caller.
struct Launch {
  std::vector<std::string> programs;  // absolute paths, tried in order as execvp would
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // NAME=value; all of it
  std::filesystem::path directory = "/";
  std::array<int, 3> standard{-1, -1, -1};  // stdin, stdout, stderr; -1: /dev/null
  std::vector<int> kept;                    // further descriptors that it gets, under the same numbers; above 2
  std::vector<int> namespaces;              // joined in this order, before the identity changes
  std::optional<uid_t> identity;            // becomes this uid and gid, without supplementary groups
  std::vector<ResourceLimit> limits;
  Session session = Session::own;
  Privileges privileges = Privileges::as_they_are;
  Death death = Death::independent;
  std::vector<int> ignored_signals;  // the others have their default action
};

// Which step of a start failed, as the child tells it through a pipe.
struct StartFailure {
  enum class Step : int { none, prepare, directory, execute };
  Step step = Step::none;
  int code = 0;  // errno
};

// A child of this process. Thread-compatible; killed and reaped by the destructor.
class Child {
 public:
  Child(pid_t pid, util::Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  // Readable (poll) from its end on, also before it is reaped.
  int ended() const { return pidfd_.get(); }
  // Waits for the end and reaps it: the status as waitpid(2) gives it. Once only.
  int wait();
  // Nothing happens where it has ended.
  void signal(int number) const;
  // Leaves it to itself: neither killed nor waited for. Its pid.
  pid_t release() { return std::exchange(pid_, -1); }

 private:
  pid_t pid_;
  util::Fd pidfd_;
};

// A Launch in the form that system calls take. Keep it alive across the fork.
class Prepared {
 public:
  explicit Prepared(const Launch& launch);
  // In the child, with all signals blocked: becomes the program. On failure writes a StartFailure to `failure` and
  // exits with 126 or 127. Makes system calls only.
  [[noreturn]] void become(int failure) const;

 private:
  int execute() const;

  const Launch& launch_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  std::vector<std::vector<char*>> shell_argv_;  // for programs[i] without a #! line
  std::vector<int> kept_;                       // sorted
};

// Forks `body`, which must not return and makes system calls only; signals are blocked when it starts.
Result<Child> fork_child(const std::function<void()>& body);

// Reads what become() wrote; step none where the program runs. `failure` is the pipe's read end, and no write end may
// be open in this process.
StartFailure read_failure(int failure);

// A pipe with both ends O_CLOEXEC.
struct Pipe {
  util::Fd read;
  util::Fd write;
};
Result<Pipe> make_pipe();

// Closes every descriptor above 2 that is not in `kept` (sorted). System calls only.
void close_others(const std::vector<int>& kept);
// All signals but `ignored` get their default action; none is blocked. System calls only.
void reset_signals(const std::vector<int>& ignored);

// Forks and becomes the program. A program that cannot be executed is an error: not_found, denied, or io.
Result<Child> start(const Launch& launch);

// The program's absolute path: from PATH, or where the system keeps it.
std::optional<std::string> find_program(const std::string& name);

}  // namespace hearth::sandbox
