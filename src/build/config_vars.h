// Config vars: what the user sets for an app. Buildpacks find them as files in ENV_DIR, processes in the environment.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "util/error.h"

namespace hearth::build {

using ConfigVars = std::map<std::string, std::string>;

// Where config vars come from; later members win over earlier ones, later entries over earlier ones.
struct ConfigVarSources {
  std::optional<std::filesystem::path> directory;  // --env-dir: one file per variable, byte-exact
  std::optional<std::filesystem::path> file;       // --env-file: NAME=value per line
  std::vector<std::string> assignments;            // --env: "NAME=value"
};

// In a directory, links are followed, and names that begin with '.' and directories are skipped (as a mounted
// Kubernetes secret has them). In a file, blank lines and '#' lines are skipped, "export " in front is tolerated, and
// one pair of quotes around a value is taken off. A name that is no variable name ([A-Za-z_][A-Za-z0-9_.-]*), a value
// with a NUL byte, and an assignment without '=' are invalid; an absent directory or file is not_found. Messages never
// show a value.
Result<ConfigVars> read_config_vars(const ConfigVarSources& sources);

// invalid where it cannot be a config var, as above; `where` begins the message.
Result<void> check_config_var(std::string_view name, std::string_view value, std::string_view where);

// Writes one file per variable into the existing empty directory, except those named in `left_out`.
Result<void> write_env_dir(const ConfigVars& vars, const std::vector<std::string>& left_out,
                           const std::filesystem::path& directory, std::optional<uid_t> owner);

}  // namespace hearth::build
