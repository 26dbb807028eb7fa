// Levels uid and plain: the command sees the system as it is.
#pragma once

#include <memory>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// The command runs as the build uid, without any privilege. Needs root; denied otherwise. conflict where another
// sandbox of this level has the uid on this machine. `why_not_better`: why bwrap could not be had, for warning(); empty
// where nobody asked for it.
Result<std::unique_ptr<Sandbox>> open_uid(const Config& config, std::string why_not_better);

// The command runs as we do.
Result<std::unique_ptr<Sandbox>> open_plain(const Config& config);

}  // namespace hearth::sandbox
