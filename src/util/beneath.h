// Opening below a directory, whatever links somebody has put there.
#pragma once

#include <string>

#include "util/file.h"

namespace hearth::util {

// What is done with links on the way, the last name included: followed as long as they stay below the directory, or
// not at all.
enum class Links { inside, none };

// As openat(2), with O_CLOEXEC: no descriptor, and errno, where it fails. A way out of the directory (an absolute path,
// "..", a link) is EXDEV or ELOOP, a link that is not followed ELOOP or ENOTDIR; with O_PATH and O_NOFOLLOW a link at
// the end is opened itself. Where the system has no openat2(2) (an old kernel, a container's filter) no link is
// followed. Creates nothing.
Fd open_beneath(int directory, const std::string& path, int flags, Links links);

}  // namespace hearth::util
