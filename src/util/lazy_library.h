// Shared libraries that are loaded when they are needed: libcurl and libarchive bring some thirty others along, and
// most runs of the program use neither. docs/decisions/0012-lazy-libraries.md has the reasons.
#pragma once

#include <span>

#include "util/error.h"

namespace hearth::util {

// To be called before the first call of any function of the library; later calls cost nothing. Thread-safe. io: it is
// not installed, or not the one that this program was built for.
Result<void> load_libcurl();
Result<void> load_libarchive();

// Loads the library for as long as the process lives, and writes the addresses of its functions to `slots`, of which
// there are as many. For the generated code of the functions above.
Result<void> load_functions(const char* soname, std::span<const char* const> names, void** slots);

}  // namespace hearth::util
