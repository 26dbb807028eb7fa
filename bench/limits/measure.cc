// hearth_measure SYNC-DIR OUTPUT COMMAND ARGS… [| COMMAND ARGS…]…: runs a pipeline, whose output goes to the file
// OUTPUT, then syncs the file system of SYNC-DIR, and prints what it took as one JSON object.
//
// A program of its own, since the peak memory that the kernel tells of a child includes what its parent had when it
// started it: this one is small.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

using Command = std::vector<char*>;  // ends with a null pointer

struct Usage {
  double cpu_seconds = 0;        // of all processes, user and system
  std::uint64_t peak_bytes = 0;  // the sum, over the stages, of the largest process of each
  int exit_code = 0;             // of the first stage that failed
};

std::vector<Command> stages_of(std::span<char*> arguments) {
  std::vector<Command> stages(1);
  for (char* argument : arguments) {
    if (std::strcmp(argument, "|") == 0) {
      stages.back().push_back(nullptr);
      stages.emplace_back();
    } else {
      stages.back().push_back(argument);
    }
  }
  stages.back().push_back(nullptr);
  return stages;
}

Result<pid_t> spawn(const Command& command, int input, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = 0;
  const int code = ::posix_spawnp(&child, command[0], &actions, nullptr, command.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return fail_errno(code, command[0]);
  return child;
}

Result<std::vector<pid_t>> start(const std::vector<Command>& stages, const char* output) {
  util::Fd input = TRY(util::open_file("/dev/null", O_RDONLY));
  std::vector<pid_t> children;
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    util::Fd read_end(ends[0]);
    const util::Fd write_end(ends[1]);
    children.push_back(TRY(spawn(stages[i], input.get(), write_end.get())));
    input = std::move(read_end);
  }
  const util::Fd last = TRY(util::open_file(output, O_WRONLY | O_CREAT | O_TRUNC));
  children.push_back(TRY(spawn(stages.back(), input.get(), last.get())));
  return children;
}

Usage wait_for(const std::vector<pid_t>& children) {
  Usage usage;
  for (const pid_t child : children) {
    int status = 0;
    rusage used{};
    while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
    }
    for (const timeval& time : {used.ru_utime, used.ru_stime}) {
      usage.cpu_seconds += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    }
    usage.peak_bytes += static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (usage.exit_code == 0) usage.exit_code = code;
  }
  return usage;
}

Result<int> run(std::span<char*> arguments) {
  if (arguments.size() < 4) return fail(ErrorKind::invalid, "use: hearth_measure SYNC-DIR OUTPUT COMMAND ARGS…");
  const std::vector<Command> stages = stages_of(arguments.subspan(3));
  const auto begin = std::chrono::steady_clock::now();
  const Usage usage = wait_for(TRY(start(stages, arguments[2])));
  const auto done = std::chrono::steady_clock::now();
  TRY(sync_file_system(arguments[1]));
  const auto synced = std::chrono::steady_clock::now();
  const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
  fmt::print("{{\"seconds\": {:.6f}, \"own_seconds\": {:.6f}, \"cpu\": {:.6f}, \"memory\": {}, \"exit_code\": {}}}\n",
             seconds(begin, synced), seconds(begin, done), usage.cpu_seconds, usage.peak_bytes, usage.exit_code);
  return usage.exit_code;
}

}  // namespace

}  // namespace hearth::bench

int main(int argc, char** argv) {
  const hearth::Result<int> result = hearth::bench::run({argv, static_cast<std::size_t>(argc)});
  if (!result) fmt::print(stderr, "hearth_measure: {}\n", result.error().message);
  return result.value_or(127);
}
