#include "build/run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "build/build.h"
#include "build/builds.h"
#include "build/failures.h"
#include "build/processes.h"
#include "build/sandbox_config.h"
#include "build/surroundings.h"
#include "build/work_dir.h"
#include "buildpack/environment.h"
#include "buildpack/yaml.h"
#include "util/file.h"
#include "util/text.h"
#include "util/unpack.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr const char* kUserInside = "build";
constexpr int kAttempts = 3;

struct Prepared {
  fs::path slug;
  Processes processes;
};

bool is_file_name(const std::string& target) {
  return target.contains('/') || target.ends_with(".tgz") || target.ends_with(".tar.gz");
}

FailureClass class_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::cancelled:
      return FailureClass::interrupted;
    case ErrorKind::io:
      return FailureClass::internal;
    default:
      return FailureClass::source;
  }
}

std::unexpected<Failure> failed_by(const Error& error) {
  return std::unexpected(Failure{class_of(error), {}, error.message});
}

// What cannot be right in the words that name the slug, or in a setting, is the caller's.
std::unexpected<Failure> failed_to_open(const Error& error, FailureClass otherwise) {
  const FailureClass kind = error.kind == ErrorKind::invalid ? FailureClass::usage : otherwise;
  return std::unexpected(Failure{kind, {}, error.message});
}

// "APP" or "APP@BUILD".
struct Target {
  std::string app;
  std::optional<std::string> build;  // absent: the newest that succeeded
};

Target target_of(const std::string& text) {
  const std::size_t at = text.find('@');
  if (at == std::string::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

// A build that is removed while its slug is on the way was not the newest any more; the one that is now is taken.
Result<PublishedBuild> download(store::ObjectStore& store, const Target& target, const fs::path& file,
                                const std::stop_token& stop) {
  for (int left = kAttempts;; --left) {
    PublishedBuild build = TRY(target.build ? published_build(store, target.app, *target.build, stop)
                                            : newest_build(store, target.app, stop));
    Result<void> downloaded = download_slug(store, build, file, stop);
    if (downloaded) return build;
    const bool again = left > 0 && !target.build && downloaded.error().kind == ErrorKind::not_found;
    if (!again) return std::unexpected(std::move(downloaded).error());
    TRY(util::remove_tree(file));
  }
}

Result<Prepared> fetch(const RunOptions& options, const Surroundings& surroundings, const fs::path& directory,
                       const std::stop_token& stop) {
  if (is_file_name(options.target)) return Prepared{options.target, {}};
  const Target target = target_of(options.target);
  TRY(check_app_name(target.app));
  std::string url = options.store_url;
  if (url.empty()) url = TRY(store::default_url());
  const store::OpenStore opened = TRY(surroundings.open_store(url, options.store_options));
  const fs::path slug = directory / "slug.tgz";
  const PublishedBuild build = TRY(download(*opened.store, target, slug, stop));
  return Prepared{slug, buildpack::parse_report(build.procfile)};
}

Result<void> unpack(const fs::path& slug, const fs::path& app_dir, std::optional<uid_t> owner,
                    const std::stop_token& stop) {
  const util::Fd file = TRY(within("the slug", util::open_file(slug, O_RDONLY)));
  struct stat status{};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::invalid, "{} is a directory: expected a slug file or an app's name", slug.native());
  }
  util::UnpackOptions options;
  options.owner = owner;
  TRY(within(fmt::format("the slug {}", slug.native()), util::unpack(file, app_dir, options, stop)));
  return {};
}

// The command line for bash; absent where there is no such process type.
std::optional<std::vector<std::string>> command_of(const RunOptions& options, const Processes& processes) {
  std::vector<std::string> argv = {"/bin/bash", "-c"};
  const bool own_command = options.process.empty() && !options.arguments.empty();
  if (own_command) {
    argv.push_back(fmt::format("{}exec \"$@\"", buildpack::kLoadProfile));
  } else {
    const auto process = processes.find(options.process.empty() ? "web" : options.process);
    if (process == processes.end()) return std::nullopt;
    // Not `exec COMMAND`: a Procfile's line may be any shell text. A shell becomes its last command itself.
    std::string line = process->second;
    if (!options.arguments.empty()) line += " \"$@\"";
    argv.push_back(fmt::format("{}exec /bin/bash -c {} \"$0\" \"$@\"", buildpack::kLoadProfile, shell_quoted(line)));
  }
  argv.emplace_back("bash");
  argv.insert(argv.end(), options.arguments.begin(), options.arguments.end());
  return argv;
}

std::string unknown_process(const RunOptions& options, const Processes& processes) {
  std::string known;
  for (const auto& [name, command] : processes) known += (known.empty() ? "" : ", ") + name;
  const std::string wanted = options.process.empty() ? "web" : options.process;
  if (known.empty()) return fmt::format("there is no process type '{}': the slug declares none", wanted);
  return fmt::format("there is no process type '{}'; there are: {}", wanted, known);
}

buildpack::Environment environment_of(const RunOptions& options, const ConfigVars& config_vars,
                                      const sandbox::Sandbox& sandbox, const WorkDir& work) {
  buildpack::EnvironmentRequest request;
  request.home = sandbox.inside(work.app());
  request.tmp = sandbox.inside(work.tmp());
  request.user = kUserInside;
  request.stack = options.stack;
  request.host = options.host_environment;
  request.pass_through = options.pass_env;
  const buildpack::Environment base = buildpack::base_environment(request);
  std::map<std::string, std::string> variables(base.begin(), base.end());
  for (const auto& [name, value] : config_vars) variables.insert_or_assign(name, value);
  variables.erase("SSH_KEY");
  variables.insert_or_assign("PORT", std::to_string(options.port));
  return {variables.begin(), variables.end()};
}

std::expected<int, Failure> start(const RunOptions& options, const ConfigVars& config_vars, const Prepared& prepared,
                                  const WorkDir& work, sandbox::Sandbox& sandbox, const std::stop_token& stop) {
  Processes processes = prepared.processes;
  if (processes.empty()) processes = processes_in(work.app());
  std::optional<std::vector<std::string>> argv = command_of(options, processes);
  if (!argv) return failed(FailureClass::usage, "{}", unknown_process(options, processes));
  const sandbox::Command command{.argv = std::move(*argv),
                                 .environment = environment_of(options, config_vars, sandbox, work),
                                 .directory = sandbox.inside(work.app()),
                                 .streams = sandbox::Streams::inherited,
                                 .stop_signal = options.stop_signal};
  if (options.on_start) options.on_start();
  const Result<sandbox::Exit> exit = sandbox.run(command, {}, {}, stop);
  if (!exit) return failed_by(exit.error());
  return exit->code;
}

}  // namespace

std::expected<int, Failure> run_process(const RunOptions& options, const Surroundings& surroundings,
                                        const std::function<void(std::string_view line)>& diagnostics,
                                        const std::stop_token& stop) {
  const Result<ConfigVars> config_vars = read_config_vars(options.config_vars);
  if (!config_vars) return failed(FailureClass::usage, "{}", config_vars.error().message);
  const fs::path root = options.work_root.empty() ? default_work_root(options.host_environment) : options.work_root;
  remove_abandoned(root);
  // Apart from builds: a running app must not move the next build of it to another directory.
  const Result<WorkDir> work =
      WorkDir::open(root, "run." + target_of(fs::path(options.target).filename().native()).app);
  if (!work) return failed(class_of_setting(work.error()), work.error());
  const Result<Prepared> prepared = fetch(options, surroundings, work->own(), stop);
  if (!prepared) return failed_to_open(prepared.error(), class_of(prepared.error()));
  sandbox::Config config = basic_sandbox_config(*work, options);
  config.published_port = options.port;
  const Result<std::unique_ptr<sandbox::Sandbox>> sandbox = surroundings.open_sandbox(options.sandbox, config);
  if (!sandbox) return failed_to_open(sandbox.error(), FailureClass::internal);
  if (const std::string warning = (*sandbox)->warning(); !warning.empty()) diagnostics(warning);
  const Result<void> handed = work->hand_over((*sandbox)->owner());
  if (!handed) return failed(class_of_setting(handed.error()), handed.error());
  const Result<void> unpacked = unpack(prepared->slug, work->app(), sandbox::file_owner(**sandbox), stop);
  if (!unpacked) return failed_by(unpacked.error());
  return start(options, *config_vars, *prepared, *work, **sandbox, stop);
}

std::expected<int, Failure> run_process(const RunOptions& options,
                                        const std::function<void(std::string_view line)>& diagnostics,
                                        std::stop_token stop) {
  return run_process(options, surroundings(), diagnostics, stop);
}

}  // namespace hearth::build
