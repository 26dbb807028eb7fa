// Files of the app's source, which is somebody else's: no link leads out of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "util/error.h"

namespace hearth::buildpack {

// The content of the regular file `name` (relative) of `app_dir`; absent where there is none. Anything else of that
// name, a link that leaves the app, and more than `limit` bytes are invalid. Never blocks on a fifo.
Result<std::optional<std::string>> read_app_file(const std::filesystem::path& app_dir, const std::string& name,
                                                 std::uint64_t limit);

// Where the directory `name` (relative) of `app_dir` really is. Absent is not_found; a path or link that leaves the app
// is invalid.
Result<std::filesystem::path> app_directory(const std::filesystem::path& app_dir, const std::string& name);

}  // namespace hearth::buildpack
