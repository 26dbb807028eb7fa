// A Sandbox without walls, for tests of what runs inside of one.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "sandbox/sandbox.h"
#include "util/file.h"

namespace hearth::test {

// Runs commands as we are. Keeps the commands that it ran.
class DirectSandbox : public sandbox::Sandbox {
 public:
  std::vector<sandbox::Command> commands;

  Result<sandbox::Exit> run(const sandbox::Command& command, const sandbox::Sink& on_stdout,
                            const sandbox::Sink& on_stderr, std::stop_token stop) override {
    commands.push_back(command);
    std::array<int, 2> out = {};
    std::array<int, 2> err = {};
    if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    const pid_t child = fork();
    if (child > 0) setpgid(child, child);
    if (child == 0) start(command, out[1], command.streams == sandbox::Streams::merged ? out[1] : err[1]);
    close(out[1]);
    close(err[1]);
    const util::Fd from_out(out[0]);
    const util::Fd from_err(err[0]);
    sandbox::Exit exit;
    exit.stopped = pump(from_out, from_err, on_stdout, on_stderr, child, stop);
    int status = 0;
    waitpid(child, &status, 0);
    exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    exit.code = WIFSIGNALED(status) ? 128 + exit.signal : WEXITSTATUS(status);
    return exit;
  }

  std::filesystem::path inside(const std::filesystem::path& host) const override { return host; }
  sandbox::Level level() const override { return sandbox::Level::plain; }
  uid_t owner() const override { return geteuid(); }
  std::string warning() const override { return ""; }

 private:
  [[noreturn]] static void start(const sandbox::Command& command, int out, int err) {
    setpgid(0, 0);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out, 1);
    dup2(err, 2);
    if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) _exit(126);
    std::vector<std::string> pairs;
    for (const auto& [name, value] : command.environment) pairs.push_back(fmt::format("{}={}", name, value));
    std::vector<char*> environment;
    for (auto& pair : pairs) environment.push_back(pair.data());
    environment.push_back(nullptr);
    std::vector<std::string> argv = command.argv;
    std::vector<char*> arguments;
    for (auto& argument : argv) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    environ = environment.data();
    execvp(arguments[0], arguments.data());
    _exit(errno == ENOENT ? 127 : 126);
  }

  // Until both pipes are closed; true if the command was killed because of the stop token.
  static bool pump(const util::Fd& out, const util::Fd& err, const sandbox::Sink& on_stdout,
                   const sandbox::Sink& on_stderr, pid_t child, const std::stop_token& stop) {
    std::array<pollfd, 2> fds = {pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
    bool stopped = false;
    std::array<char, 65536> buffer = {};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
      if (stop.stop_requested() && !stopped) {
        kill(-child, SIGKILL);
        stopped = true;
      }
      poll(fds.data(), fds.size(), 20);
      for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].fd < 0 || fds[i].revents == 0) continue;
        const ssize_t count = read(fds[i].fd, buffer.data(), buffer.size());
        if (count <= 0) {
          fds[i].fd = -1;
          continue;
        }
        const auto& sink = i == 0 ? on_stdout : on_stderr;
        if (sink) sink({buffer.data(), static_cast<std::size_t>(count)});
      }
    }
    return stopped;
  }
};

}  // namespace hearth::test
