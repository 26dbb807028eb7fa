// Limits as the kernel takes them.
#pragma once

#include <sys/types.h>

#include <vector>

#include "sandbox/process.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// The limits of a command that runs as `user`. The kernel counts the processes of a user over the whole machine, so
// those that run already are added to what the command may have. Where we are not root, no limit exceeds our own hard
// limit.
std::vector<ResourceLimit> resource_limits(const Limits& limits, uid_t user);

}  // namespace hearth::sandbox
