// hearth test: from a source to the outcome of its tests.
#include <memory>

#include "cli/build_options.h"

namespace hearth::cli {

namespace {

constexpr const char* kTestExamples = R"(Examples:
  hearth test . --app blog --buildpacks /opt/buildpacks
  hearth test https://git.example.com/blog.git#topic --app blog --buildpack heroku/ruby --env RAILS_ENV=test
  hearth test . --app blog-ci --cache on --report report.json

Exit codes: 0 the tests passed, 1 they failed (or the app or a buildpack before them), 2 usage, 3 no buildpack,
or none that has tests, 4 source or buildpack could not be had, 124 --build-timeout was up, 130/143 interrupted,
70 our fault.)";

}  // namespace

void define_test(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("test", "Build an app for its tests, and run them; publish nothing");
  command->footer(kTestExamples);
  auto flags = std::make_shared<BuildFlags>();
  flags->options.purpose = buildpack::Purpose::test;
  flags->options.build_timeout = std::chrono::hours(1);
  flags->options.cache = build::CacheMode::read_only;
  flags->no_publish = true;
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_build_input(*command, *options, *flags);
  add_time_limits(*options, *flags);
  add_cache_care(*options, *flags);
  add_build_output(*options, *flags);
  command->final_callback([&invocation, flags, options] {
    invocation.check = [&invocation, flags, options] {
      options->finish();
      check_build_input(*flags, "test");
      invocation.run = [flags](const Session& session) { return run_build(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
