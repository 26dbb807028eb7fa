#include "cli/shared_options.h"

namespace hearth::cli {

void add_app(Options& options, std::string& app) {
  options.text("--app", app, "Name of the app")->type_name("NAME");
}

store::OpenOptions StoreFlags::options() const {
  return {.create = create ? store::Create::if_absent : store::Create::no,
          .verification = insecure ? http::Verification::none : http::Verification::full};
}

void add_store(Options& options, StoreFlags& flags) {
  options
      .text("--store", flags.url,
            "Where caches and slugs are kept: file://, gs://, s3:// (default: below $XDG_DATA_HOME)")
      ->type_name("URL");
  options.flag("--create-store", flags.create, "Create the store's bucket if it is absent");
  options.flag("--insecure", flags.insecure, "Take any certificate of the store's server");
}

Result<store::OpenStore> open_store(const StoreFlags& flags) {
  if (!flags.url.empty()) return store::open(flags.url, flags.options());
  const std::string fallback = TRY(store::default_url());
  return store::open(fallback, flags.options());
}

void add_stack(Options& options, std::string& stack) {
  options.text("--stack", stack, "Stack that buildpacks see as STACK, and that a cache is kept for")
      ->type_name("NAME")
      ->capture_default_str();
}

void add_compression_level(Options& options, std::uint32_t& level) {
  options.number("--compression-level", level, "zstd's level for the cache: 1 (fast) to 19 (small)")
      ->check(CLI::Range(1, 19))
      ->capture_default_str();
}

build::ConfigVarSources ConfigVarFlags::sources() const {
  build::ConfigVarSources sources;
  if (!directory.empty()) sources.directory = directory;
  if (!file.empty()) sources.file = file;
  sources.assignments = assignments;
  return sources;
}

void add_config_vars(Options& options, ConfigVarFlags& flags) {
  options.list("--env", flags.assignments, "Config var")->type_name("NAME=VALUE");
  options.path("--env-dir", flags.directory, "Directory with one file per config var");
  options.path("--env-file", flags.file, "File of config vars, NAME=VALUE a line");
}

void add_sandbox(Options& options, SandboxFlags& flags) {
  const Choices<std::optional<sandbox::Level>> levels = {{"auto", std::nullopt},
                                                         {"bwrap", sandbox::Level::bwrap},
                                                         {"uid", sandbox::Level::uid},
                                                         {"plain", sandbox::Level::plain}};
  options.choice("--sandbox", flags.level, levels, "Isolation (auto: the best of bwrap and uid that works here)");
  const Choices<sandbox::Network> networks = {
      {"on", sandbox::Network::on}, {"off", sandbox::Network::off}, {"host", sandbox::Network::host}};
  options.choice("--network", flags.network, networks, "Network inside (on: the internet, but not this machine)");
  options.path("--stack-root", flags.stack_root, "Root file system to work in, instead of this machine's");
  options.number("--build-uid", flags.build_uid, "User id that root becomes for a build")->capture_default_str();
  options.path("--work", flags.work, "Directory to work in (default: below /var/tmp or $XDG_CACHE_HOME)");
  options.list("--pass-env", flags.pass_env, "Variable of this environment to hand on")->type_name("NAME");
}

}  // namespace hearth::cli
