// hearth run: starts a process of what was built.
#include <csignal>
#include <memory>

#include "build/run.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/shared_options.h"

namespace hearth::cli {

namespace {

constexpr const char* kRunExamples = R"(Examples:
  hearth run blog                          the web process of the newest build that succeeded
  hearth run blog worker --env QUEUE=mail
  hearth run blog -- rake db:migrate       a command of its own
  hearth run blog@20261122T154141Z-ae2b    an earlier build: hearth builds ls blog
  hearth run ./blog.tgz web --port 8080    from a slug file

The exit code is the process' own; 128 + N where signal N ended it.)";

struct RunFlags {
  build::RunOptions options;
  StoreFlags store;
  ConfigVarFlags config_vars;
  SandboxFlags sandbox;
  std::uint32_t port = 5000;
};

// A terminal that is gone is no word to an app, of which many read their settings anew then.
int passed_on(int received) {
  return received == SIGINT ? SIGINT : SIGTERM;
}

int run_run(RunFlags& flags, const Session& session) {
  build::RunOptions& options = flags.options;
  options.config_vars = flags.config_vars.sources();
  options.store_url = flags.store.url;
  options.store_options = flags.store.options();
  options.port = static_cast<std::uint16_t>(flags.port);
  options.host_environment = session.environment;
  apply(flags.sandbox, options);
  options.on_start = Signals::leave_ctrl_c;
  options.stop_signal = [&session] { return passed_on(session.signals.received()); };
  const auto complain_about = [](std::string_view line) { complain(std::string(line)); };
  const std::expected<int, build::Failure> code = build::run_process(options, complain_about, session.signals.token());
  if (code) return *code;
  complain(code.error().message);
  return exit_code(code.error().kind, session.signals.received());
}

}  // namespace

void define_run(CLI::App& root, Invocation& invocation) {
  CLI::App* command =
      root.add_subcommand("run", "Start a process of what was built: run APP[@BUILD]|SLUG-FILE [PROCESS] [-- ARGS...]");
  command->footer(kRunExamples);
  auto flags = std::make_shared<RunFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  command->add_option("TARGET", flags->options.target,
                      "App, APP@BUILD for an earlier build, or slug file (with a / or ending in .tgz)");
  command->add_option("PROCESS", flags->options.process, "Process type (default: web)");
  CLI::Option* port = options->number("--port", flags->port, "PORT of the process, reachable on 127.0.0.1")
                          ->check(CLI::Range(1, 65535))
                          ->capture_default_str();
  const auto variable = invocation.environment.find(variable_of("--port"));
  if (variable != invocation.environment.end() && is_service_link(variable->first, variable->second)) port->envname("");
  add_store(*options, flags->store);
  add_config_vars(*options, flags->config_vars);
  add_stack(*options, flags->options.stack);
  add_sandbox(*options, flags->sandbox);
  command->final_callback([&invocation, flags, options] {
    invocation.check = [&invocation, flags, options] {
      options->finish();
      if (flags->options.target.empty())
        throw UsageError("run needs an APP or a slug file, for example: hearth run blog");
      if (flags->options.target.ends_with('@')) throw UsageError("run APP@BUILD needs the name of a BUILD");
      flags->options.arguments = invocation.behind_dashes;
      invocation.run = [flags](const Session& session) { return run_run(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
