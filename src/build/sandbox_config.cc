#include "build/sandbox_config.h"

#include "buildpack/environment.h"

namespace hearth::build {
namespace {

// Files below these are part of every sandbox's view anyway.
bool is_always_shown(const std::filesystem::path& path) {
  return path.native().starts_with("/usr/") || path.native().starts_with("/etc/ssl/");
}

}  // namespace

std::vector<sandbox::Bind> certificate_binds(const std::map<std::string, std::string>& host_environment) {
  std::vector<sandbox::Bind> binds;
  for (const auto& path : buildpack::certificate_paths(buildpack::network_environment(host_environment))) {
    if (!is_always_shown(path)) binds.push_back({path, path});
  }
  return binds;
}

}  // namespace hearth::build
