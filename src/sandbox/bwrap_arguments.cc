#include "sandbox/bwrap_arguments.h"

#include <algorithm>

namespace hearth::sandbox {

namespace {

// Shared memory lies in the machine's memory.
constexpr const char* kSharedMemoryBytes = "1073741824";

class Options {
 public:
  template <class... Words>
  void add(Words&&... words) {
    (options_.emplace_back(std::forward<Words>(words)), ...);
  }
  std::vector<std::string> take() { return std::move(options_); }

 private:
  std::vector<std::string> options_;
};

void add_namespaces(Options& options, const BwrapPlan& plan) {
  options.add("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try");
  options.add("--uid", std::to_string(plan.user), "--gid", std::to_string(plan.user));
  options.add("--hostname", "build", "--die-with-parent", "--json-status-fd", std::to_string(plan.status));
  if (plan.command.streams != Streams::inherited) options.add("--new-session");
}

void add_view(Options& options, const BwrapPlan& plan) {
  // Folders that bubblewrap makes on the way are closed to everybody else, which some tools take for an error.
  for (const char* folder : {"/etc", "/etc/apt", "/etc/apt/apt.conf.d", "/var", "/var/lib", "/var/lib/dpkg"}) {
    options.add("--perms", "0755", "--dir", folder);
  }
  for (const View::Shown& shown : plan.view.shown) options.add("--ro-bind", shown.host.native(), shown.inside.native());
  for (const View::Link& link : plan.view.links) options.add("--symlink", link.target, link.inside.native());
  for (std::size_t i = 0; i < plan.view.made.size(); ++i) {
    options.add("--perms", "0444", "--ro-bind-data", std::to_string(plan.made[i]), plan.view.made[i].inside.native());
  }
  options.add("--proc", "/proc", "--dev", "/dev");
  options.add("--perms", "1777", "--size", kSharedMemoryBytes, "--tmpfs", "/dev/shm");
  options.add("--remount-ro", "/dev");
}

// What is below /usr is there already, and a read-only /usr takes no new mount points.
bool shown_already(const Bind& bind) {
  return bind.host == bind.inside && bind.inside.native().starts_with("/usr/");
}

void add_own(Options& options, const Config& config) {
  options.add("--bind", config.tmp_dir.native(), "/tmp", "--bind", config.app_dir.native(), "/app");
  for (const Bind& bind : config.read_only) {
    if (config.stack_root || !shown_already(bind)) options.add("--ro-bind", bind.host.native(), bind.inside.native());
  }
  for (const Bind& bind : config.sockets) options.add("--bind", bind.host.native(), bind.inside.native());
}

}  // namespace

std::vector<std::string> bwrap_options(const BwrapPlan& plan) {
  Options options;
  add_namespaces(options, plan);
  add_view(options, plan);
  add_own(options, plan.config);
  // Only now: mount points are made on the way.
  options.add("--remount-ro", "/");
  options.add("--chdir", plan.command.directory.native(), "--clearenv");
  for (const auto& [name, value] : plan.command.environment) options.add("--setenv", name, value);
  return options.take();
}

std::vector<std::string> payload_argv(const Command& command) {
  std::vector<std::string> argv;
  if (command.argv.front().contains('=')) {
    // env(1) would take it for an assignment.
    argv = {"/bin/sh", "-c", "exec \"$0\" \"$@\""};
  } else {
    const auto is_pwd = [](const auto& variable) { return variable.first == "PWD"; };
    const auto pwd = std::ranges::find_if(command.environment, is_pwd);
    argv = {"/usr/bin/env"};
    // In the foreground of a terminal Ctrl-C reaches bubblewrap too, which is started deaf to it.
    if (command.streams == Streams::inherited) argv.emplace_back("--default-signal=HUP,INT,QUIT,TERM");
    // bubblewrap sets PWD, whatever its options say.
    argv.insert(argv.end(), {"-u", "PWD", "--"});
    if (pwd != command.environment.end()) argv.push_back(fmt::format("PWD={}", pwd->second));
  }
  argv.insert(argv.end(), command.argv.begin(), command.argv.end());
  return argv;
}

std::string joined(const std::vector<std::string>& options) {
  std::string bytes;
  for (const std::string& option : options) bytes.append(option).push_back('\0');
  return bytes;
}

}  // namespace hearth::sandbox
