// The processes of the machine, as /proc shows them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace hearth::sandbox {

// Every living process below `root` in the tree of parents, without `root` itself; a snapshot.
std::vector<pid_t> descendants(pid_t root);

// Sends the signal to each of them.
void signal_descendants(pid_t root, int number);

// How many processes and threads of this user the machine runs.
std::uint64_t threads_of(uid_t user);

}  // namespace hearth::sandbox
