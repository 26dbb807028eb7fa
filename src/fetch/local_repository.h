// Repositories of this machine, as git in the sandbox can read them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "util/error.h"

namespace hearth::fetch {

// Copies the objects and refs of the repository at `path` (bare, or with a .git directory or file) to the new bare
// repository `to`: not its configuration, not its hooks. A path that is no repository is not_found. Links in it are not
// followed, since it may be somebody's who may read less than we: one in place of a file or folder of git's is invalid.
// Only .git may be a link; where it, or what a .git file or commondir names, leads root to what belongs to somebody
// other than the pointer and its folder, that is invalid, too.
Result<void> copy_repository(const std::filesystem::path& path, const std::filesystem::path& to,
                             std::optional<uid_t> owner, std::stop_token stop);

// The same for the submodules that are checked out in it: below `to`, as modules/<number>. The value is their names and
// folders.
Result<std::map<std::string, std::filesystem::path>> copy_submodules(const std::filesystem::path& path,
                                                                     const std::filesystem::path& to,
                                                                     std::optional<uid_t> owner, std::stop_token stop);

}  // namespace hearth::fetch
