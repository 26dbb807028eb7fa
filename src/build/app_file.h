// Writes single files of an app's directory, which is somebody else's: a link in it must not lead us out of it.
// (buildpack/app_files.h reads them.)
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::build {

// Creates or replaces the file at `name`, and the directories on the way. A link on the way is invalid; a link at the
// end is replaced. `owner` owns what is made.
Result<void> write_app_file(const std::filesystem::path& app_dir, const std::string& name, std::string_view bytes,
                            std::optional<uid_t> owner);

}  // namespace hearth::build
