// The program: parses the command line, runs the command, and turns what escaped into an exit code.
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <span>
#include <thread>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/parse.h"
#include "util/file.h"
#include "util/machine.h"

namespace {

using namespace hearth;

// glibc keeps what is freed for the thread that freed it, in up to eight arenas a core, and in steps of up to 32 MiB: a
// save that uses 100 MiB held 200. An arena a core costs no time (docs/performance.md).
void bound_the_heap() {
  constexpr int kFromTheSystem = 2 << 20;  // in bytes: a thread's large rooms, which it keeps, leave no holes
  constexpr int kKeptAtTheEnd = 4 << 20;
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(2U, std::thread::hardware_concurrency())));
  mallopt(M_MMAP_THRESHOLD, kFromTheSystem);
  // What is freed at an arena's end is soon wanted again: giving back 128 KiB at a time made a third of the page faults
  // of a save, and two thirds of a restore's.
  mallopt(M_TRIM_THRESHOLD, kKeptAtTheEnd);
}

// Whoever closed one of these would have the next file that we open there, and in it what is meant for him. What is
// opened in their stead refuses what they are for, as one that is closed does.
void hold_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free: this one.
    std::ignore = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // NOLINT: to be inherited
  }
}

// A save and a restore have some directories open in each of their threads, beside as many connections; 1,024
// descriptors are few for that. What a build starts has limits of its own (sandbox/limits.h).
void raise_open_files() {
  constexpr rlim_t kEnough = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  // What there is has to do, else.
  std::ignore = ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run_program(std::span<char*> arguments) {
  const Result<cli::Signals> signals = cli::Signals::install();
  if (!signals) {
    cli::complain(signals.error().message);
    return static_cast<int>(cli::ExitCode::internal);
  }
  const cli::Environment environment = util::environment();
  const std::vector<std::string> words(arguments.begin() + 1, arguments.end());
  cli::Parsed parsed = cli::parse(words, environment);
  if (!parsed.run) {
    // A closed terminal cannot be told that it is closed.
    std::ignore = util::write_full(parsed.exit_code == 0 ? STDOUT_FILENO : STDERR_FILENO, parsed.text);
    return parsed.exit_code;
  }
  for (const std::string& warning : parsed.warnings) cli::complain("warning: " + warning);
  // The snapshot above does not have them, so that no build can ask for them. No other thread looks at variables yet.
  for (const auto& [name, value] : parsed.variables) ::setenv(name.c_str(), value.c_str(), 0);
  return parsed.run({*signals, environment});
}

int run_guarded(std::span<char*> arguments) {
  try {
    return run_program(arguments);
  } catch (const std::exception& error) {
    cli::complain(fmt::format("internal error: {}", error.what()));
  } catch (...) {
    cli::complain("internal error");
  }
  return static_cast<int>(cli::ExitCode::internal);
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_descriptors();
  bound_the_heap();
  raise_open_files();
  // Nothing of ours is left that buffers. Static objects are not destroyed: a transfer that hung in the store (see
  // build/transfer.h) may wake up just now, and use them.
  std::_Exit(run_guarded(std::span(argv, static_cast<std::size_t>(argc))));
}
