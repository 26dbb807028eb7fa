// hearth build: from a source to a slug.
#include <memory>

#include "cli/build_options.h"

namespace hearth::cli {

namespace {

constexpr const char* kBuildExamples = R"(Examples:
  hearth build . --app blog --buildpacks /opt/buildpacks
  hearth build https://git.example.com/blog.git#main --app blog --buildpack heroku/ruby
  git archive HEAD | hearth build - --app blog --store file:///srv/hearth --report report.json
  hearth build . --app blog --env-dir /etc/blog/env --cache refresh --slug blog.tgz --no-publish
  hearth build . --app blog-pr-17 --cache-from blog --cache-exclude '*.log'

Exit codes: 0 succeeded, 1 the app or a buildpack failed, 2 usage, 3 no buildpack, 4 source or buildpack
could not be had, 5 the store failed at publish, 124 --build-timeout was up, 130/143 interrupted, 70 our fault.)";

void add_results(Options& options, BuildFlags& flags) {
  build::BuildOptions& target = flags.options;
  options.size("--slug-soft-limit", target.slug_soft_limit, "Warn about a larger slug");
  options.size("--slug-hard-limit", target.slug_hard_limit, "Refuse a larger slug");
  options.number("--slug-level", target.slug_level, "How the slug is compressed: 1 (fast) to 9 (small)")
      ->check(CLI::Range(1, 9))
      ->capture_default_str();
  options.text("--slug", target.slug_to, "Also write the slug here; - is standard output")->type_name("FILE|-");
  options.flag("--no-publish", flags.no_publish, "Store neither slug nor report");
  options
      .number("--keep-builds", target.keep_builds,
              "Newest builds of the app that stay in the store, and the newest that succeeded; 0: all")
      ->capture_default_str();
}

}  // namespace

void define_build(CLI::App& root, Invocation& invocation) {
  CLI::App* command =
      root.add_subcommand("build", "Build an app with its buildpacks, publish the slug, keep the cache");
  command->footer(kBuildExamples);
  auto flags = std::make_shared<BuildFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_build_input(*command, *options, *flags);
  add_time_limits(*options, *flags);
  add_cache_care(*options, *flags);
  add_results(*options, *flags);
  add_build_output(*options, *flags);
  command->final_callback([&invocation, flags, options] {
    invocation.check = [&invocation, flags, options] {
      options->finish();
      check_build_input(*flags, "build");
      if (flags->options.slug_to == "-" && flags->options.report_to == "-") {
        throw UsageError("--slug - and --report - both want standard output; give one of them a file");
      }
      invocation.run = [flags](const Session& session) { return run_build(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
