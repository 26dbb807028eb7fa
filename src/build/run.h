// Starts what was built: a process of a slug, in the sandbox that builds have.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "build/config_vars.h"
#include "build/report.h"
#include "sandbox/sandbox.h"
#include "store/open.h"

namespace hearth::build {

struct RunOptions {
  // An existing slug file (a path with '/', or ending in .tgz), else an app's name, or APP@BUILD: one of its builds, as
  // choose_build (stored_builds.h) understands it.
  std::string target;
  std::string process;                 // empty: "web", or no process where `arguments` are a command of their own
  std::vector<std::string> arguments;  // after "--": behind the process' command, or, without a process, a command
  std::uint16_t port = 5000;           // PORT, and reachable on the host's 127.0.0.1

  std::string store_url;  // empty: store::default_url()
  store::OpenOptions store_options;
  ConfigVarSources config_vars;                         // exported to the process; stronger than a release's defaults
  std::vector<std::string> pass_env;                    // names handed on from host_environment
  std::map<std::string, std::string> host_environment;  // a snapshot of ours

  std::string stack = "heroku-24";
  std::optional<std::filesystem::path> stack_root;
  std::optional<sandbox::Level> sandbox;  // absent: auto
  uid_t build_uid = 2000;
  sandbox::Network network = sandbox::Network::on;
  std::filesystem::path work_root;  // empty: default_work_root()

  // Called when the process is about to start. From then on the keys of a terminal are its own: it is in the
  // foreground as we are, and gets their signals itself. May be empty.
  std::function<void()> on_start;
  std::function<int()> stop_signal;  // which signal the process gets at a stop; may be empty: TERM
};

// Unpacks the slug (of an app: the named build's, or the newest that succeeded, its SHA-256 checked against its report)
// at /app and runs the process with our stdin, stdout and stderr until it ends, or until `stop`, which sends it
// `stop_signal` and, after a grace, KILL. The value is its exit code (128 + signal where a signal ended it).
// `diagnostics` gets one line a call. Failures: source (no such app or slug, damaged), usage (a setting or name that
// cannot be right, a port in use, an unknown process type: the message names the known ones), internal, interrupted
// (stopped before the process was started).
std::expected<int, Failure> run_process(const RunOptions& options,
                                        const std::function<void(std::string_view line)>& diagnostics,
                                        std::stop_token stop);

}  // namespace hearth::build
