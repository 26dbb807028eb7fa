// From the words of a command line, and the environment, to a command that can be run.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/command.h"

namespace hearth::cli {

struct Parsed {
  std::function<int(const Session&)> run;  // empty: print `text` and exit with `exit_code`
  std::string text;                        // help (exit code 0) or what was wrong (2)
  int exit_code = 0;
  std::vector<std::string> warnings;             // one line each, about the files of settings
  std::map<std::string, std::string> variables;  // for this process' environment, where they are not set there
};

// `words` without the program's name. What neither they nor the environment say is looked up in the files of settings
// (config.h). Unknown flags and unknown HEARTH_* variables are usage errors that name the
// nearest known one; variables that Kubernetes makes for a service called "hearth" are left alone.
Parsed parse(const std::vector<std::string>& words, const Environment& environment);

}  // namespace hearth::cli
