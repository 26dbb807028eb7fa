// Level bwrap: namespaces and a root file system of its own, by bubblewrap.
#pragma once

#include <memory>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// Tries it once. Where it cannot start here the error is denied and holds the last line that bubblewrap wrote.
Result<std::unique_ptr<Sandbox>> open_bwrap(const Config& config);

}  // namespace hearth::sandbox
