// Facts about the machine that we run on.
#pragma once

#include <map>
#include <string>

namespace hearth::util {

// The processor's architecture by Debian's names: "amd64", "arm64", …; the kernel's name for others.
std::string architecture();

// A snapshot of this process' environment; of a name that stands there twice, the first wins, as with getenv.
std::map<std::string, std::string> environment();

}  // namespace hearth::util
