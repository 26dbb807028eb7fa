// The options of bubblewrap for one command, as a pure function.
#pragma once

#include <string>
#include <vector>

#include "sandbox/sandbox.h"
#include "sandbox/view.h"

namespace hearth::sandbox {

struct BwrapPlan {
  const View& view;
  std::vector<int> made;  // for each of view.made a descriptor to read its content from
  const Config& config;
  const Command& command;
  uid_t user = 0;   // inside, and gid
  int status = -1;  // descriptor for --json-status-fd
};

// The options, to be given through --args. They hold the command's environment, which must be in no command line.
std::vector<std::string> bwrap_options(const BwrapPlan& plan);

// The command behind the options: env(1) starts it, since it tells 126 from 127, and removes what bubblewrap adds.
std::vector<std::string> payload_argv(const Command& command);

// The same bytes as --args wants them: each ended by a NUL.
std::string joined(const std::vector<std::string>& options);

}  // namespace hearth::sandbox
