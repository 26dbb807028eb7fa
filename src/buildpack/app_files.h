// Files of the app, which is somebody else's, before and after its build: no link leads out of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "util/error.h"
#include "util/file.h"

namespace hearth::buildpack {

// The content of the regular file `name` (relative) of `app_dir`; absent where there is none. Anything else of that
// name, a link that leaves the app, and more than `limit` bytes are invalid. Never blocks on a fifo. A link in the
// place of `app_dir` itself is not followed either: io.
Result<std::optional<std::string>> read_app_file(const std::filesystem::path& app_dir, const std::string& name,
                                                 std::uint64_t limit);

// The directory `name` (relative) of `app_dir`, opened for reading. Absent is not_found; a path or link that leaves the
// app is invalid.
Result<util::Fd> app_directory(const std::filesystem::path& app_dir, const std::string& name);

}  // namespace hearth::buildpack
