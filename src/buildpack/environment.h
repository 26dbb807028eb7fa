// The documented environment of detect, compile, release and report, and nothing else of the builder's own.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "buildpack/buildpack.h"

namespace hearth::buildpack {

struct EnvironmentRequest {
  std::filesystem::path home;   // sandbox.inside(app_dir): HOME and APP_DIR
  std::filesystem::path tmp;    // sandbox.inside(tmp_dir): TMPDIR
  std::string user = "hearth";  // name of the build user inside: USER and LOGNAME
  std::string stack;
  std::string request_id;                   // empty: REQUEST_ID is not set
  std::string source_version;               // empty: SOURCE_VERSION is not set
  std::map<std::string, std::string> host;  // the environment that Hearth itself was started with
  std::vector<std::string> pass_through;    // --pass-env: further names to take from `host` where they are set
};

// Sorted by name, each name once. From `host` come the proxy variables (in the case in which they are set), those that
// name CA certificates, and pass_through, which may also replace a value of ours.
Environment base_environment(const EnvironmentRequest& request);

// Shell text that goes HOME and sources the app's .profile.d/*.sh, as each process of an app starts.
inline constexpr const char* kLoadProfile = R"(cd "$HOME" || exit 126
for profile in .profile.d/*.sh; do
  if [ -f "$profile" ]; then . "./$profile"; fi
done
unset profile
)";

// The proxy and CA variables alone: what git gets too.
Environment network_environment(const std::map<std::string, std::string>& host);

// The files and directories that the CA variables of `environment` name and that exist: the sandbox must show them
// under their own paths (Config::read_only).
std::vector<std::filesystem::path> certificate_paths(const Environment& environment);

}  // namespace hearth::buildpack
