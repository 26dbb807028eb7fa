#include <unistd.h>

#include <algorithm>

#include "build/background.h"
#include "build/kept_caches.h"
#include "build/pipeline.h"
#include "build/sandbox_config.h"
#include "buildpack/environment.h"
#include "cache/format/key.h"
#include "sandbox/sandbox.h"
#include "store/open.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

std::string value_of(const std::map<std::string, std::string>& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

}  // namespace

Surroundings surroundings() {
  return {.open_store = store::open,
          .open_sandbox = [](std::optional<sandbox::Level> wanted,
                             const sandbox::Config& config) { return sandbox::open(wanted, config); },
          .now = [] { return std::chrono::system_clock::now(); },
          .start_saver = start_saver};
}

Step Pipeline::set_up(const Result<void>& usable) {
  if (!usable) return because({FailureClass::usage, {}, usable.error().message});
  log_.note(fmt::format("build {} of app {}, stack {}", id_, options_.app, options_.stack));
  choose_cache_mode();
  const auto all = [&]() -> Step {
    TRY(open_store());
    TRY(open_work_dir());
    TRY(open_sandbox());
    return start_agent();
  };
  Step step = all();
  if (!step) return because(std::move(step).error());
  log_.heading(fmt::format("{} {} for {} (sandbox {})", is_test() ? "Testing" : "Building", options_.app,
                           options_.stack, report_.sandbox));
  tell_cache_mode();
  if (const std::string warning = sandbox_->warning(); !warning.empty()) log_.warning(warning);
  return {};
}

void Pipeline::choose_cache_mode() {
  const CacheChoice choice = choose_cache(options_.cache, config_vars_);
  for (const std::string& line : choice.ignored) log_.warning(line);
  cache_ = choice.mode;
  stored_cache_ = choice.stored;
  report_.cache.mode = name(choice.mode);
  report_.cache.why = choice.why;
}

void Pipeline::tell_cache_mode() {
  if (report_.cache.why.empty()) return;
  log_.line(fmt::format("Cache: {}{} ({})", report_.cache.mode,
                        stored_cache_ == StoredCache::is_deleted ? ", and what is stored is deleted" : "",
                        report_.cache.why));
}

// A store that does not open is no reason not to build; whether its lack is a failure is decided at publish.
Step Pipeline::open_store() {
  Result<std::string> url = options_.store_url;
  if (options_.store_url.empty()) url = store::default_url();
  if (!url) return failed(FailureClass::usage, url.error());
  Result<store::OpenStore> opened = surroundings_.open_store(*url, options_.store_options);
  if (!opened && opened.error().kind == ErrorKind::invalid) return failed(FailureClass::usage, opened.error());
  if (!opened) {
    store_error_ = opened.error().message;
    log_.warning(fmt::format("The store cannot be used: {}", store_error_));
    return {};
  }
  if (!opened->warning.empty()) log_.warning(opened->warning);
  store_url_ = *url;
  store_ = std::move(opened->store);
  meter_ = std::move(opened->meter);
  return {};
}

Step Pipeline::open_work_dir() {
  const fs::path root =
      options_.work_root.empty() ? default_work_root(options_.host_environment) : fs::path(options_.work_root);
  remove_abandoned(root);
  Result<WorkDir> work = WorkDir::open(root, options_.app);
  if (!work) return failed(class_of_setting(work.error()), work.error());
  work_ = std::make_shared<WorkDir>(std::move(*work));
  return {};
}

sandbox::Config Pipeline::sandbox_config() const {
  sandbox::Config config = basic_sandbox_config(*work_, options_);
  // Empty, as templates leave it, it is none: no agent is started, and there would be no socket.
  if (!value_of(config_vars_, "SSH_KEY").empty()) {
    config.sockets.push_back({agent_socket(work_->agent()), "/run/hearth/ssh-agent"});
  }
  return config;
}

Step Pipeline::open_sandbox() {
  Result<std::unique_ptr<sandbox::Sandbox>> opened = surroundings_.open_sandbox(options_.sandbox, sandbox_config());
  if (!opened) {
    const bool setting = opened.error().kind == ErrorKind::invalid;
    return failed(setting ? FailureClass::usage : FailureClass::internal, opened.error());
  }
  sandbox_ = std::move(*opened);
  report_.sandbox = sandbox::name(sandbox_->level());
  const Result<void> handed = work_->hand_over(sandbox_->owner());
  if (!handed) return failed(class_of_setting(handed.error()), handed.error());
  return open_online();
}

// `--network off` is about the app's build: source and buildpacks are fetched all the same. At the other levels a
// second sandbox cannot be had; git says there what it misses.
Step Pipeline::open_online() {
  if (options_.network != sandbox::Network::off || sandbox_->level() != sandbox::Level::bwrap) return {};
  sandbox::Config config = sandbox_config();
  config.network = sandbox::Network::on;
  Result<std::unique_ptr<sandbox::Sandbox>> opened = surroundings_.open_sandbox(sandbox::Level::bwrap, config);
  if (!opened) return failed(FailureClass::internal, opened.error());
  online_ = std::move(*opened);
  return {};
}

Step Pipeline::start_agent() {
  const std::string key = value_of(config_vars_, "SSH_KEY");
  if (key.empty()) return {};
  std::string hosts = value_of(config_vars_, "SSH_CLIENT_HOSTS");
  if (hosts.empty()) hosts = value_of(options_.host_environment, "SSH_CLIENT_HOSTS");
  const fs::path known_hosts = work_->tmp() / kKnownHostsFile;
  const Result<void> written = util::write_file(known_hosts, hosts.empty() ? hosts : hosts + "\n");
  if (!written) return failed(FailureClass::internal, written.error());
  const std::optional<uid_t> owner = file_owner();
  if (owner && ::lchown(known_hosts.c_str(), *owner, *owner) != 0) {
    return failed(FailureClass::internal, "{} could not be given to the build user", known_hosts.native());
  }
  Result<SshAgent> agent = SshAgent::start(key, work_->agent(), sandbox_->owner());
  if (!agent) return failed(class_of_setting(agent.error()), agent.error());
  agent_.emplace(std::move(*agent));
  return {};
}

fetch::GitAccess Pipeline::git_access() const {
  return {online_ ? online_.get() : sandbox_.get(), work_->scratch(), git_environment()};
}

buildpack::Environment Pipeline::git_environment() const {
  buildpack::Environment environment = buildpack::network_environment(options_.host_environment);
  if (!agent_) return environment;
  const bool given =
      config_vars_.contains("SSH_CLIENT_HOSTS") || options_.host_environment.contains("SSH_CLIENT_HOSTS");
  environment.emplace_back("SSH_AUTH_SOCK", sandbox_->inside(agent_socket(work_->agent())).native());
  environment.emplace_back("GIT_SSH_COMMAND", ssh_command(sandbox_->inside(work_->tmp() / kKnownHostsFile),
                                                          given ? KnownHosts::given : KnownHosts::none));
  return environment;
}

bool Pipeline::cache_is_restored() const {
  return store_ && (cache_ == CacheMode::on || cache_ == CacheMode::read_only);
}

bool Pipeline::cache_is_saved() const {
  return store_ && (cache_ == CacheMode::on || cache_ == CacheMode::refresh);
}

void Pipeline::start_restore() {
  read_history();
  judge_cache();
  if (!store_ && (cache_ == CacheMode::on || cache_ == CacheMode::read_only)) report_.restore.outcome = "unavailable";
  if (!cache_is_restored()) return;
  if (options_.keep_caches > 0) take_kept_cache(*work_);
  report_.restore.outcome = "late";  // until it was waited for: a build may fail before
  cache::RestoreOptions restore_options{.owner = file_owner(),
                                        .threads = 0,
                                        .transfers = options_.store_options.transfers,
                                        .seeds = {},
                                        .from = options_.cache_from,
                                        .progress = restore_progress_};
  for (const std::string& seed : options_.seeds) {
    if (Result<std::string> app = cache::app_of_key(seed)) restore_options.seeds.push_back(std::move(*app));
  }
  const auto work = [work_dir = work_, name = cache_name(), restore_options](store::ObjectStore& store,
                                                                             const std::stop_token& stop) {
    return cache::restore(store, name, work_dir->own() / "restored", work_dir->own() / "index", restore_options, stop);
  };
  restore_ = std::make_unique<ReportingTransfer<cache::RestoreReport>>(
      store_, meter_, TransferLimits{options_.restore_deadline, options_.stall_timeout}, work, deadline_.token());
}

// Beside the build, so that it costs no time; whatever the build comes to, its owner wants no cache. What the publish
// moves meanwhile counts as progress; the deadline holds all the same.
void Pipeline::start_deletion() {
  if (!store_ || stored_cache_ == StoredCache::stays) return;
  const auto work = [app = options_.app, deleted = deleted_](store::ObjectStore& store, const std::stop_token& stop) {
    *deleted = cache::purge_app(store, app, stop);
  };
  deletion_ = std::make_unique<Transfer>(store_, meter_, TransferLimits{options_.save_deadline, options_.stall_timeout},
                                         work, stop_);
}

}  // namespace hearth::build
