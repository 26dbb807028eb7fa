// Scripts that let a shell complete hearth's command line.
#pragma once

#include <string>

#include "cli/command_tree.h"

namespace hearth::cli {

enum class Shell { bash, zsh, fish };

// To be loaded by the shell: bash 4.4 or later, zsh 5, fish 3.
std::string completion_script(Shell shell, const CommandEntry& root);

}  // namespace hearth::cli
