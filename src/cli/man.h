// Man pages, one for the program and one for each command.
#pragma once

#include <string>
#include <string_view>

#include "cli/command_tree.h"

namespace hearth::cli {

// "hearth-cache-save", and "hearth" for the program.
std::string man_page_name(const CommandEntry& command);

// For man(7), section 1. `version` is the program's. A footer of the definition is told as examples up to its first
// empty line, and as the exit status from a paragraph on that begins with "Exit codes:".
std::string man_page(const CommandEntry& command, std::string_view version);

}  // namespace hearth::cli
