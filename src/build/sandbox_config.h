// What the sandboxes of builds, of processes that run, and of an examination have in common.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "build/work_dir.h"
#include "sandbox/sandbox.h"

namespace hearth::build {

// The files of certificates that the environment names, each at its own path; but not those that every sandbox shows.
std::vector<sandbox::Bind> certificate_binds(const std::map<std::string, std::string>& host_environment);

// A sandbox in the work directory, of BuildOptions, RunOptions or DoctorOptions.
template <class Options>
sandbox::Config basic_sandbox_config(const WorkDir& work, const Options& options) {
  sandbox::Config config;
  config.tmp_dir = work.tmp();
  config.app_dir = work.app();
  config.stack_root = options.stack_root;
  config.network = options.network;
  config.build_uid = options.build_uid;
  config.read_only = certificate_binds(options.host_environment);
  return config;
}

}  // namespace hearth::build
