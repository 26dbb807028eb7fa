#include "cli/shared_options.h"

#include <filesystem>

#include "cache/format/layout.h"
#include "cli/command.h"
#include "util/ignore_rules.h"
#include "util/text.h"

namespace hearth::cli {

void add_app(Options& options, std::string& app) {
  options.text("--app", app, "Name of the app")->type_name("NAME");
}

store::OpenOptions StoreFlags::options() const {
  store::OpenOptions options{.create = create ? store::Create::if_absent : store::Create::no,
                             .verification = insecure ? http::Verification::none : http::Verification::full,
                             .tier = std::nullopt,
                             .transfers = transfers,
                             .stall = stall};
  if (!tier.empty()) {
    options.tier = {.directory = std::filesystem::absolute(tier),
                    .bytes = tier_size,
                    .written_once = [](const store::Key& key) { return cache::Layout::has_object(key); }};
  }
  return options;
}

void add_store(Options& options, StoreFlags& flags) {
  options
      .text(
          "--store", flags.url,
          "Where caches and slugs are kept: file://, s3://, gs://, azblob://, swift:// (default: below $XDG_DATA_HOME)")
      ->type_name("URL");
  options.flag("--create-store", flags.create, "Create the store's bucket or container if it is absent");
  options.path("--tier", flags.tier, "Directory of this machine that keeps what is fetched from the store");
  options.size("--tier-size", flags.tier_size, "What the tier may take (default: 20GiB)");
  options.number("--transfers", flags.transfers, "Requests that are under way at the same time, of 1 to 64")
      ->check(CLI::Range(1, 64))
      ->default_str("by the machine");
  options.flag("--insecure", flags.insecure, "Take any certificate of the store's server");
}

Result<store::OpenStore> open_store(const StoreFlags& flags) {
  std::string url = flags.url;
  if (url.empty()) url = TRY(store::default_url());
  store::OpenStore opened = TRY(store::open(url, flags.options()));
  if (!opened.warning.empty()) complain("warning: " + opened.warning);
  return opened;
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

void add_max_size(Options& options, std::uint64_t& bytes) {
  options
      .size("--max-size", bytes, "What the cache's files may have together; what was unused for longest is left out")
      ->default_str("any");
}

void add_cache_exclude(Options& options, std::vector<std::string>& patterns) {
  options.list("--cache-exclude", patterns, "What a save leaves out: a pattern as in .gitignore, without !")
      ->type_name("PATTERN");
}

void check_cache_exclude(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (!util::IgnoreRules(pattern).empty()) continue;
    throw UsageError(fmt::format("--cache-exclude: \"{}\" names nothing; patterns are those of .gitignore, without !",
                                 util::shown(pattern)));
  }
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
