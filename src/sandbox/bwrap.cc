#include "sandbox/bwrap.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "sandbox/bwrap_arguments.h"
#include "sandbox/limits.h"
#include "sandbox/network.h"
#include "sandbox/process.h"
#include "sandbox/reach.h"
#include "sandbox/supervise.h"
#include "sandbox/tree.h"
#include "sandbox/view.h"
#include "util/text.h"

namespace hearth::sandbox {

namespace fs = std::filesystem;

namespace {

// A dying pid namespace waits for each of its processes.
constexpr int kNamespaceGoneWithinMs = 30000;

// A descriptor to read these bytes from, from their beginning.
Result<util::Fd> readable(std::string_view bytes) {
  util::Fd fd(::memfd_create("hearth", MFD_CLOEXEC));
  if (!fd) return fail_errno(errno, "memfd_create");
  TRY(util::write_full(fd.get(), bytes));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  return fd;
}

// What bubblewrap tells through --json-status-fd: first the pid of the namespace's first process, at the end the
// command's exit code. A missing code means that the command never started.
class Status {
 public:
  explicit Status(util::Fd fd) : fd_(std::move(fd)) {}

  // Waits until bubblewrap has forked, or failed to.
  void wait_for_first_process() {
    while (!text_.contains('\n') && read_some()) {
    }
    const auto pid = number("child-pid");
    if (!pid) return;
    first_ = util::Fd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
    if (first_) first_pid_ = static_cast<pid_t>(*pid);
  }

  void terminate(int number) const {
    // The namespace's first process is bubblewrap's own, and deaf; the command and what it started lie below it.
    if (first_) signal_descendants(first_pid_, number);
  }

  bool kill() const { return first_ && ::syscall(SYS_pidfd_send_signal, first_.get(), SIGKILL, nullptr, 0) == 0; }

  // The end of the namespace's first process is the end of all in it.
  bool wait_until_gone() const {
    if (!first_) return true;
    pollfd waiting{first_.get(), POLLIN, 0};
    const bool gone = ::poll(&waiting, 1, kNamespaceGoneWithinMs) == 1;
    // It is ours to reap only where we are what orphans go to (pid 1 of a container).
    ::waitpid(first_pid_, nullptr, WNOHANG);
    return gone;
  }

  std::optional<int> exit_code() {
    while (read_some()) {
    }
    return number("exit-code");
  }

 private:
  bool read_some() {
    std::array<char, 1024> buffer{};
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count > 0) text_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && errno == EINTR);
  }

  std::optional<int> number(const char* member) const {
    for (const std::string_view line : util::split(text_, '\n')) {
      const nlohmann::json told = nlohmann::json::parse(line, nullptr, false);
      if (told.is_object() && told.contains(member) && told[member].is_number_integer()) return told[member].get<int>();
    }
    return std::nullopt;
  }

  util::Fd fd_;
  std::string text_;
  util::Fd first_;  // pidfd
  pid_t first_pid_ = -1;
};

// Keeps the last line that went through, for the case that it was bubblewrap's own complaint.
class LastLine {
 public:
  void see(std::string_view bytes) {
    tail_.append(bytes);
    if (tail_.size() > kKept) tail_.erase(0, tail_.size() - kKept);
  }
  std::string get() const {
    const std::string_view text = util::trim(tail_);
    const std::size_t at = text.rfind("bwrap: ");
    return std::string(at == std::string_view::npos ? text.substr(text.rfind('\n') + 1) : text.substr(at + 7));
  }

 private:
  static constexpr std::size_t kKept = 1024;
  std::string tail_;
};

class BwrapSandbox : public Sandbox {
 public:
  BwrapSandbox(Config config, std::string program, View view, Connection connection)
      : config_(std::move(config)),
        program_(std::move(program)),
        view_(std::move(view)),
        connection_(std::move(connection)) {}

  Result<Exit> run(const Command& command, const Sink& on_stdout, const Sink& on_stderr, std::stop_token stop) override;
  fs::path inside(const fs::path& host) const override;
  Level level() const override { return Level::bwrap; }
  uid_t owner() const override { return build_user(config_.build_uid); }
  std::string warning() const override { return connection_.warning(); }
  void offer(std::vector<Bind> sockets) { config_.sockets = std::move(sockets); }

 private:
  Launch launch_of(const Command& command) const;

  Config config_;
  std::string program_;
  View view_;
  Connection connection_;
};

Launch BwrapSandbox::launch_of(const Command& command) const {
  Launch launch;
  launch.programs = {program_};
  launch.argv = {"bwrap"};
  launch.namespaces = connection_.to_join();
  if (::geteuid() == 0) launch.identity = config_.build_uid;
  launch.limits = resource_limits(config_.limits, owner());
  if (command.streams == Streams::inherited) {
    launch.session = Session::inherited;
    launch.standard = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    // They reach the whole group of a terminal or of timeout(1); the command is to end by them in its own way, not by
    // losing its sandbox.
    launch.ignored_signals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  }
  return launch;
}

Result<Exit> BwrapSandbox::run(const Command& command, const Sink& on_stdout, const Sink& on_stderr,
                               std::stop_token stop) {
  if (stop.stop_requested()) return Exit{128 + SIGTERM, SIGTERM, true};
  Launch launch = launch_of(command);
  std::vector<util::Fd> contents;
  BwrapPlan plan{view_, {}, config_, command, owner(), -1};
  for (const View::Made& made : view_.made) {
    contents.push_back(TRY(readable(made.content)));
    plan.made.push_back(contents.back().get());
  }
  Pipe status_pipe = TRY(make_pipe());
  plan.status = status_pipe.write.get();
  const util::Fd options = TRY(readable(joined(bwrap_options(plan))));
  launch.argv.insert(launch.argv.end(), {"--args", std::to_string(options.get()), "--"});
  std::ranges::copy(payload_argv(command), std::back_inserter(launch.argv));
  launch.kept = plan.made;
  launch.kept.insert(launch.kept.end(), {plan.status, options.get()});
  OutputPipes pipes = TRY(make_output(command.streams));
  if (command.streams != Streams::inherited) pipes.connect(launch);

  Child child = TRY(start(launch));
  pipes.close_write_ends();
  status_pipe.write.close();
  Status status(std::move(status_pipe.read));
  status.wait_for_first_process();
  LastLine last;
  const Sink watched_out = [&](std::string_view bytes) {
    last.see(bytes);
    on_stdout(bytes);
  };
  const Sink watched_err = [&](std::string_view bytes) {
    last.see(bytes);
    on_stderr(bytes);
  };
  const Supervision supervision{&child, [&] { status.terminate(stop_signal_of(command)); },
                                [&] {
                                  if (!status.kill()) child.signal(SIGKILL);
                                },
                                config_.limits.grace};
  const Ended ended = TRY(supervise(supervision, pipes.read, watched_out, watched_err, stop));
  Exit exit = exit_of(child.wait());
  if (!status.wait_until_gone()) return fail(ErrorKind::io, "processes of the sandbox do not end");
  exit.stopped = ended == Ended::stopped;
  const std::optional<int> code = status.exit_code();
  if (!code && !exit.stopped && exit.signal == 0) {
    return fail(ErrorKind::denied, "bubblewrap could not start the command: exit code {}{}{}", exit.code,
                last.get().empty() ? "" : ", ", last.get());
  }
  return from_shell_code(code.value_or(exit.code), exit.stopped);
}

fs::path BwrapSandbox::inside(const fs::path& host) const {
  std::vector<Bind> binds = config_.read_only;
  std::ranges::copy(config_.sockets, std::back_inserter(binds));
  binds.push_back({config_.tmp_dir, "/tmp"});
  binds.push_back({config_.app_dir, "/app"});
  // The longest host path that contains it decides.
  std::ranges::sort(binds, std::greater(), [](const Bind& bind) { return bind.host.native().size(); });
  for (const Bind& bind : binds) {
    const fs::path below = host.lexically_normal().lexically_relative(bind.host.lexically_normal());
    if (below.empty() || *below.begin() == "..") continue;
    return below == "." ? bind.inside : bind.inside / below;
  }
  return host;
}

}  // namespace

Result<std::unique_ptr<Sandbox>> open_bwrap(const Config& config) {
  const auto program = find_program("bwrap");
  if (!program) return fail(ErrorKind::denied, "bubblewrap (bwrap) is not installed");
  const uid_t user = build_user(config.build_uid);
  TRY(check_reachable(config.tmp_dir, user));
  TRY(check_reachable(config.app_dir, user));
  Connection connection = TRY(Connection::open(config.network, config.published_port));
  View view = TRY(make_view({config.stack_root.value_or("/"), user, connection.name_server()}));
  // The sockets come later: whoever listens there may wait to learn who owner() is.
  Config without_sockets = config;
  without_sockets.sockets.clear();
  auto sandbox = std::make_unique<BwrapSandbox>(without_sockets, *program, std::move(view), std::move(connection));
  const Command probe{.argv = {"true"}, .environment = {{"PATH", "/usr/bin:/bin"}}, .directory = "/"};
  const Sink ignore = [](std::string_view) {};
  const Exit exit = TRY(sandbox->run(probe, ignore, ignore, {}));
  if (exit.code != 0) return fail(ErrorKind::denied, "bubblewrap cannot run programs here (exit code {})", exit.code);
  sandbox->offer(config.sockets);
  return sandbox;
}

}  // namespace hearth::sandbox
