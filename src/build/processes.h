// What a built app can start, and with which defaults.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "build/failures.h"
#include "build/log.h"
#include "buildpack/buildpack.h"

namespace hearth::build {

using Processes = std::map<std::string, std::string>;

// Process types from the app's Procfile over those of the last buildpack's release. `buildpack_name` is what that
// buildpack's bin/detect printed. Says so in the log.
Processes discover_processes(const std::filesystem::path& app_dir, const Processes& defaults,
                             std::string_view buildpack_name, Log& log);

// The text of the file in the slug that tells a reader of the slug alone what the defaults are (kReleaseFile).
std::string release_file_of(const Processes& defaults);
inline constexpr const char* kReleaseFile = ".release";

// Process types of an unpacked slug: its Procfile's over those of its release file. Nothing where it has neither.
Processes processes_in(const std::filesystem::path& app_dir);

// A shell file that sets each variable that is not set yet. PATH, which always is set, it replaces. Names that are no
// shell variables are left out.
std::string profile_of(const std::map<std::string, std::string>& config_vars);

// The text in single quotes, safe to paste into a shell command.
std::string shell_quoted(std::string_view text);

}  // namespace hearth::build
