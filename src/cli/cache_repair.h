// `hearth cache verify APP --repair DIR`: mends what is damaged, and tells what could not be mended.
#pragma once

#include <cstdint>
#include <string>

#include "cli/cache_target.h"
#include "cli/command.h"

namespace hearth::cli {

// The exit code: 0 everything is whole, 1 something is damaged still; else as of verify.
int repair_cache(const CacheTarget& target, const std::string& directory, std::uint32_t threads,
                 const Session& session);

}  // namespace hearth::cli
