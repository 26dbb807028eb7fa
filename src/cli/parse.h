// From the words of a command line, and the environment, to a command that can be run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace hearth::cli {

struct Parsed {
  std::function<int(const Session&)> run;  // empty: print `text` and exit with `exit_code`
  std::string text;                        // help (exit code 0) or what was wrong (2)
  int exit_code = 0;
};

// `words` without the program's name. Unknown flags and unknown HEARTH_* variables are usage errors that name the
// nearest known one; variables that Kubernetes makes for a service called "hearth" are left alone.
Parsed parse(const std::vector<std::string>& words, const Environment& environment);

}  // namespace hearth::cli
