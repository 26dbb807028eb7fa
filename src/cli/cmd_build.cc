// hearth build: from a source to a slug.
#include <unistd.h>

#include <memory>

#include "build/build.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/shared_options.h"

namespace hearth::cli {

namespace {

constexpr const char* kExamples = R"(Examples:
  hearth build . --app blog --buildpacks /opt/buildpacks
  hearth build https://git.example.com/blog.git#main --app blog --buildpack heroku/ruby
  git archive HEAD | hearth build - --app blog --store file:///srv/hearth --report report.json
  hearth build . --app blog --env-dir /etc/blog/env --cache refresh --slug blog.tgz --no-publish

Exit codes: 0 succeeded, 1 the app or a buildpack failed, 2 usage, 3 no buildpack, 4 source or buildpack
could not be had, 5 the store failed at publish, 124 --build-timeout was up, 130/143 interrupted, 70 our fault.)";

struct BuildFlags {
  build::BuildOptions options;
  ConfigVarFlags config_vars;
  SandboxFlags sandbox;
  std::string installed;
  build::LogFormat format = build::LogFormat::text;
  bool no_publish = false;
};

void add_source(CLI::App& command, Options& options, BuildFlags& flags) {
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
}

void add_limits(Options& options, BuildFlags& flags) {
  build::BuildOptions& target = flags.options;
  options.duration("--build-timeout", target.build_timeout, "Whole build, source to publish");
  options.duration("--restore-deadline", target.restore_deadline, "Restoring the cache; then the build starts cold");
  options.duration("--save-deadline", target.save_deadline, "Saving the cache; then the old one stays");
  options.duration("--stall-timeout", target.stall_timeout, "Restore or save, with the store making no progress");
  options.size("--slug-soft-limit", target.slug_soft_limit, "Warn about a larger slug");
  options.size("--slug-hard-limit", target.slug_hard_limit, "Refuse a larger slug");
}

void add_results(Options& options, BuildFlags& flags) {
  options.text("--slug", flags.options.slug_to, "Also write the slug here; - is standard output")->type_name("FILE|-");
  options.flag("--no-publish", flags.no_publish, "Store neither slug nor report");
  options.text("--report", flags.options.report_to, "Also write the JSON report here")->type_name("FILE|-");
  const Choices<build::LogFormat> formats = {{"text", build::LogFormat::text}, {"json", build::LogFormat::json}};
  options.choice("--log-format", flags.format, formats, "Form of the build's log");
}

int execute(BuildFlags& flags, const Session& session) {
  build::BuildOptions& options = flags.options;
  options.config_vars = flags.config_vars.sources();
  options.installed = flags.installed;
  options.publish = flags.no_publish ? build::Publish::no : build::Publish::yes;
  options.host_environment = session.environment;
  apply(flags.sandbox, options);
  const bool stdout_is_taken = options.slug_to == "-" || options.report_to == "-";
  const build::Console console =
      terminal_console(stdout_is_taken ? STDERR_FILENO : STDOUT_FILENO, flags.format, session.environment);
  const build::BuildResult result = build::run(options, console, session.signals.token());
  if (!result.report.failure) return static_cast<int>(ExitCode::success);
  return exit_code(result.report.failure->kind, session.signals.received());
}

}  // namespace

void define_build(CLI::App& root, Invocation& invocation) {
  CLI::App* command =
      root.add_subcommand("build", "Build an app with its buildpacks, publish the slug, keep the cache");
  command->footer(kExamples);
  auto flags = std::make_shared<BuildFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_source(*command, *options, *flags);
  add_store(*options, flags->options.store_url);
  const Choices<build::CacheMode> modes = {{"on", build::CacheMode::on},
                                           {"off", build::CacheMode::off},
                                           {"read-only", build::CacheMode::read_only},
                                           {"refresh", build::CacheMode::refresh}};
  options->choice("--cache", flags->options.cache, modes, "What to do with the cache (refresh: start empty, save)");
  add_config_vars(*options, flags->config_vars);
  add_stack(*options, flags->options.stack);
  add_sandbox(*options, flags->sandbox);
  add_limits(*options, *flags);
  add_results(*options, *flags);
  command->final_callback([&invocation, flags, options] {
    invocation.check = [&invocation, flags, options] {
      options->finish();
      if (flags->options.source.empty())
        throw UsageError("build needs a SOURCE, for example: hearth build . --app NAME");
      if (flags->options.app.empty()) throw UsageError("build needs --app NAME (or HEARTH_APP)");
      if (flags->options.slug_to == "-" && flags->options.report_to == "-") {
        throw UsageError("--slug - and --report - both want standard output; give one of them a file");
      }
      invocation.run = [flags](const Session& session) { return execute(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
