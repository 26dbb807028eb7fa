// The steps of a build that run buildpacks: with what they say in the log, and what their failures mean.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "build/failures.h"
#include "build/log.h"
#include "buildpack/buildpack.h"

namespace hearth::build {

struct Detected {
  buildpack::Buildpack buildpack;
  std::string name;  // as bin/detect printed it
};

// The first candidate that detects the app. None: no_buildpack.
std::expected<Detected, Failure> detect_first(const buildpack::Context& context,
                                              const std::vector<buildpack::Buildpack>& candidates, Log& log,
                                              const std::stop_token& stop);

// A buildpack that was named: it must detect the app.
std::expected<Detected, Failure> detect_named(const buildpack::Context& context, const buildpack::Buildpack& buildpack,
                                              Log& log, const std::stop_token& stop);

// bin/compile or bin/test-compile, its output going to the log. A failure names a well-known cause where the output
// shows one.
Step compile(const buildpack::Context& context, const Detected& detected, buildpack::Purpose purpose,
             const std::vector<buildpack::Buildpack>& earlier, Log& log, const std::stop_token& stop);

// The app's own bin/pre-compile or bin/post-compile, where it has one.
Step run_hook(const buildpack::Context& context, const std::string& hook,
              const std::vector<buildpack::Buildpack>& earlier, Log& log, const std::stop_token& stop);

// bin/release of every buildpack, each after the `export` files of those before it. Config vars of later ones win; the
// default process types are the last one's.
std::expected<buildpack::Release, Failure> release_all(const buildpack::Context& context,
                                                       const std::vector<Detected>& buildpacks, Log& log,
                                                       const std::stop_token& stop);

// bin/test of every buildpack that has it, in order, also after one that failed; the first failure counts.
Step test_all(const buildpack::Context& context, const std::vector<Detected>& buildpacks, Log& log,
              const std::stop_token& stop);

// A line of shell of app.json; `what` names it.
Step run_line(const buildpack::Context& context, const std::string& what, const std::string& line, Log& log,
              const std::stop_token& stop);

// That BUILD_DIR is a directory still, and no link: nothing of ours goes into anything else.
Step require_build_dir(const std::filesystem::path& build);

// A buildpack as messages name it.
std::string named(const buildpack::Buildpack& buildpack);

}  // namespace hearth::build
