#include "cli/build_options.h"

#include <unistd.h>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "util/stop.h"

namespace hearth::cli {

void add_build_input(CLI::App& command, Options& options, BuildFlags& flags) {
  command.add_option("SOURCE", flags.options.source,
                     "Directory, tarball, - (tar on stdin), git URL or PATH#REF, or http(s) URL of a tarball");
  add_app(options, flags.options.app);
  options.text("--source-version", flags.options.source_version, "SOURCE_VERSION for the buildpacks (default: git's)")
      ->type_name("REV");
  const Choices<build::Strip> strips = {
      {"auto", build::Strip::automatic}, {"0", build::Strip::never}, {"1", build::Strip::once}};
  options.choice("--strip", flags.options.strip, strips, "Leading folders to take off a tarball (auto: one, by URL)");
  options.list("--buildpack", flags.options.buildpacks, "Buildpack: URL, URL#REF, owner/name or directory")
      ->type_name("URL|DIR");
  options.path("--buildpacks", flags.installed, "Directory of buildpacks, tried in name order");
  add_store(options, flags.store);
  const Choices<build::CacheMode> modes = {{"on", build::CacheMode::on},
                                           {"off", build::CacheMode::off},
                                           {"read-only", build::CacheMode::read_only},
                                           {"refresh", build::CacheMode::refresh},
                                           {"auto", build::CacheMode::automatic}};
  options.choice(
      "--cache", flags.options.cache, modes,
      "What to do with the cache (refresh: start empty, save; auto: on, unless it costs more than it saves)");
  options
      .list("--cache-from", flags.options.seeds,
            "App, or key, whose cache to start from while the app has none of its own")
      ->type_name("APP");
  add_cache_exclude(options, flags.options.cache_exclude);
  options
      .size("--keep-caches", flags.options.keep_caches,
            "What caches of ended builds may take in the work directory, for the next ones to start from; 0: none stay")
      ->default_str("10GiB");
  add_config_vars(options, flags.config_vars);
  add_stack(options, flags.options.stack);
  add_sandbox(options, flags.sandbox);
}

void add_time_limits(Options& options, BuildFlags& flags) {
  build::BuildOptions& target = flags.options;
  options.duration("--build-timeout", target.build_timeout, "The whole, from the source to the end");
  options.duration("--restore-deadline", target.restore_deadline, "Restoring the cache; then the build starts cold");
  options.duration("--save-deadline", target.save_deadline, "Saving the cache; then the old one stays");
  add_compression_level(options, target.compression_level);
  add_max_size(options, target.max_size);
  options.duration("--stall-timeout", target.stall_timeout, "Restore or save, with the store making no progress");
}

void add_build_output(Options& options, BuildFlags& flags) {
  options.text("--report", flags.options.report_to, "Also write the JSON report here")->type_name("FILE|-");
  const Choices<build::LogFormat> formats = {{"text", build::LogFormat::text}, {"json", build::LogFormat::json}};
  options.choice("--log-format", flags.format, formats, "Form of the log");
}

void check_build_input(const BuildFlags& flags, const std::string& command) {
  if (flags.options.source.empty()) {
    throw UsageError(fmt::format("{0} needs a SOURCE, for example: hearth {0} . --app NAME", command));
  }
  if (flags.options.app.empty()) throw UsageError(fmt::format("{} needs --app NAME (or HEARTH_APP)", command));
  check_cache_exclude(flags.options.cache_exclude);
}

int run_build(BuildFlags& flags, const Session& session) {
  build::BuildOptions& options = flags.options;
  options.config_vars = flags.config_vars.sources();
  options.installed = flags.installed;
  options.store_url = flags.store.url;
  options.store_options = flags.store.options();
  options.store_options.stall = options.stall_timeout;
  options.publish = flags.no_publish ? build::Publish::no : build::Publish::yes;
  if (flags.cache_from_failed) options.cache_from = cache::From::failed_first;
  options.host_environment = session.environment;
  apply(flags.sandbox, options);
  const bool stdout_is_taken = options.slug_to == "-" || options.report_to == "-";
  // Whoever does not read the log must not keep a build from its own end, either.
  const util::StopAfter end(session.signals.token(), options.build_timeout);
  const build::Console console =
      terminal_console(stdout_is_taken ? STDERR_FILENO : STDOUT_FILENO, flags.format, session.environment, end.token());
  const build::BuildResult result = build::run(options, console, session.signals.token());
  if (!result.report.failure) return static_cast<int>(ExitCode::success);
  return exit_code(result.report.failure->kind, session.signals.received());
}

}  // namespace hearth::cli
