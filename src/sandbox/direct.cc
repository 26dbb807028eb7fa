#include "sandbox/direct.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/keeper.h"
#include "sandbox/limits.h"
#include "sandbox/network.h"
#include "sandbox/reach.h"
#include "sandbox/supervise.h"
#include "util/text.h"

namespace hearth::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// Where execvp would look.
std::vector<std::string> candidates(const Command& command) {
  const std::string& name = command.argv.front();
  if (name.contains('/')) return {name};
  std::string_view path = kDefaultPath;
  for (const auto& [variable, value] : command.environment) {
    if (variable == "PATH") path = value;
  }
  std::vector<std::string> found;
  for (const std::string_view folder : util::split(path, ':')) {
    found.push_back(fmt::format("{}/{}", folder.empty() ? "." : folder, name));
  }
  return found;
}

class DirectSandbox : public Sandbox {
 public:
  DirectSandbox(Level level, Config config, Connection connection)
      : level_(level), config_(std::move(config)), connection_(std::move(connection)) {}

  void hold(util::FileLock lock) { lock_ = std::move(lock); }
  void explain(std::string why_not_better) { why_not_better_ = std::move(why_not_better); }

  Result<Exit> run(const Command& command, const Sink& on_stdout, const Sink& on_stderr, std::stop_token stop) override;
  fs::path inside(const fs::path& host) const override { return host; }
  Level level() const override { return level_; }
  uid_t owner() const override { return level_ == Level::uid ? config_.build_uid : ::geteuid(); }
  std::string warning() const override;

 private:
  Launch launch_of(const Command& command) const;

  Level level_;
  Config config_;
  Connection connection_;
  std::optional<util::FileLock> lock_;  // of the build uid
  std::string why_not_better_;
};

std::string DirectSandbox::warning() const {
  const std::string why = why_not_better_.empty() ? "" : fmt::format("bwrap cannot be had ({}); ", why_not_better_);
  if (config_.network != Network::on) return why.empty() ? why : why + "building at level uid";
  return why + fmt::format(
                   "sandbox level {} has no network of its own: the build shares this machine's, its loopback and "
                   "metadata service "
                   "included; docs/security.md tells what the platform should block",
                   name(level_));
}

Launch DirectSandbox::launch_of(const Command& command) const {
  Launch launch;
  launch.programs = candidates(command);
  launch.argv = command.argv;
  for (const auto& [variable, value] : command.environment) {
    launch.environment.push_back(fmt::format("{}={}", variable, value));
  }
  launch.directory = command.directory;
  launch.namespaces = connection_.to_join();
  launch.privileges = Privileges::no_new;
  launch.limits = resource_limits(config_.limits, owner());
  if (level_ == Level::uid) launch.identity = config_.build_uid;
  if (command.streams == Streams::inherited) {
    launch.session = Session::inherited;
    launch.standard = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  }
  return launch;
}

Result<Exit> DirectSandbox::run(const Command& command, const Sink& on_stdout, const Sink& on_stderr,
                                std::stop_token stop) {
  if (stop.stop_requested()) return Exit{128 + SIGTERM, SIGTERM, true};
  Launch launch = launch_of(command);
  OutputPipes pipes = TRY(make_output(command.streams));
  if (command.streams != Streams::inherited) pipes.connect(launch);
  Kept kept = TRY(Kept::start(launch));
  pipes.close_write_ends();
  const StartFailure& failure = kept.failure();
  if (failure.step == StartFailure::Step::execute) {
    const Sink& sink = command.streams == Streams::separate ? on_stderr : on_stdout;
    if (sink) sink(fmt::format("{}: {}\n", command.argv.front(), std::strerror(failure.code)));
  } else if (failure.step == StartFailure::Step::directory) {
    return fail_errno(failure.code, fmt::format("entering {}", command.directory.native()));
  } else if (failure.step == StartFailure::Step::prepare) {
    return fail_errno(failure.code, fmt::format("becoming uid {}", owner()));
  }
  const Supervision supervision{&kept.keeper(), [&] { kept.terminate(stop_signal_of(command)); }, [&] { kept.kill(); },
                                config_.limits.grace};
  const Ended ended = TRY(supervise(supervision, pipes.read, on_stdout, on_stderr, stop));
  Exit exit = exit_of(TRY(kept.wait()));
  exit.stopped = ended == Ended::stopped;
  return exit;
}

// Level uid and plain never isolate for `on`: a name server on this machine's loopback would be out of reach, and
// /etc/resolv.conf cannot be another one.
Result<Connection> connect(const Config& config) {
  return Connection::open(config.network == Network::off ? Network::off : Network::host, std::nullopt);
}

}  // namespace

Result<std::unique_ptr<Sandbox>> open_uid(const Config& config, std::string why_not_better) {
  if (::geteuid() != 0) return fail(ErrorKind::denied, "sandbox level uid needs root");
  TRY(check_reachable(config.tmp_dir, config.build_uid));
  TRY(check_reachable(config.app_dir, config.build_uid));
  auto lock = util::FileLock::try_acquire(fmt::format("/run/hearth-build-{}.lock", config.build_uid));
  if (!lock && lock.error().kind == ErrorKind::conflict) {
    return fail(ErrorKind::conflict,
                "another build runs as uid {} on this machine; sandbox level uid takes one at a time: wait for it, or "
                "choose another --build-uid",
                config.build_uid);
  }
  util::FileLock held = TRY(std::move(lock));
  Connection connection = TRY(connect(config));
  auto sandbox = std::make_unique<DirectSandbox>(Level::uid, config, std::move(connection));
  sandbox->hold(std::move(held));
  sandbox->explain(std::move(why_not_better));
  return sandbox;
}

Result<std::unique_ptr<Sandbox>> open_plain(const Config& config) {
  Connection connection = TRY(connect(config));
  return std::make_unique<DirectSandbox>(Level::plain, config, std::move(connection));
}

}  // namespace hearth::sandbox
