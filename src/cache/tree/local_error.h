// Failures of the local system, told by what they say of the file that was asked for.
#pragma once

#include <string_view>

#include "util/error.h"

namespace hearth::cache {

// fail_errno(), but unavailable where this machine has no descriptor or no memory left: that says nothing of the file,
// and another attempt may go well.
std::unexpected<Error> fail_local(int code, std::string_view what);

// Whether the error is that of one file or directory, which can be left out for it.
bool is_of_the_file(ErrorKind kind);

}  // namespace hearth::cache
