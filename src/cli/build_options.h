// Options of the commands that build: hearth build and hearth test.
#pragma once

#include <string>

#include "build/build.h"
#include "cli/command.h"
#include "cli/shared_options.h"

namespace hearth::cli {

struct BuildFlags {
  build::BuildOptions options;
  StoreFlags store;
  ConfigVarFlags config_vars;
  SandboxFlags sandbox;
  std::string installed;
  build::LogFormat format = build::LogFormat::text;
  bool no_publish = false;
  bool cache_from_failed = false;
};

// SOURCE, the app, and what it is built with: buildpacks, store, cache, config vars, stack, sandbox.
void add_build_input(CLI::App& command, Options& options, BuildFlags& flags);

// How long the whole, a restore and a save may take.
void add_time_limits(Options& options, BuildFlags& flags);

// What is done where the cache may be to blame, when it is saved, and what becomes of a failed build's.
void add_cache_care(Options& options, BuildFlags& flags);

// --report and --log-format.
void add_build_output(Options& options, BuildFlags& flags);

// What must have been given; UsageError. `command` is the command's name.
void check_build_input(const BuildFlags& flags, const std::string& command);

// Builds, and turns the outcome into the exit code.
int run_build(BuildFlags& flags, const Session& session);

}  // namespace hearth::cli
