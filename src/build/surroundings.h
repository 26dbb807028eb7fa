// What a build reaches outside of its work directory. Tests put their own in its place.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "build/build.h"
#include "build/run.h"
#include "sandbox/sandbox.h"
#include "store/open.h"

namespace hearth::build {

struct SaverInput;

struct Surroundings {
  std::function<Result<store::OpenStore>(std::string_view url, const store::OpenOptions& options)> open_store;
  std::function<Result<std::unique_ptr<sandbox::Sandbox>>(std::optional<sandbox::Level>, const sandbox::Config&)>
      open_sandbox;
  std::function<std::chrono::system_clock::time_point()> now;
  std::function<Result<void>(const SaverInput& input)> start_saver;  // of --save background
};

// The real ones.
Surroundings surroundings();

// build::run and build::run_process in these surroundings.
BuildResult run(const BuildOptions& options, const Console& console, const Surroundings& surroundings,
                std::stop_token stop);
std::expected<int, Failure> run_process(const RunOptions& options, const Surroundings& surroundings,
                                        const std::function<void(std::string_view line)>& diagnostics,
                                        const std::stop_token& stop);

}  // namespace hearth::build
