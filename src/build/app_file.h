// Single files of an app's directory, which is somebody else's: a link in it must not lead us out of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "util/error.h"

namespace hearth::build {

// Reads the regular file at `name` (relative) as a process whose root is `app_dir` would: links are followed, but
// cannot leave it. Absent, not a regular file, or a link out of it: not_found. Above `limit` bytes: invalid.
Result<std::string> read_app_file(const std::filesystem::path& app_dir, const std::string& name, std::uint64_t limit);

// Creates or replaces the file at `name`, and the directories on the way. A link on the way is invalid; a link at the
// end is replaced. `owner` owns what is made.
Result<void> write_app_file(const std::filesystem::path& app_dir, const std::string& name, std::string_view bytes,
                            std::optional<uid_t> owner);

}  // namespace hearth::build
