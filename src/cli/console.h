// This process' own terminal, as the build sees it.
#pragma once

#include <stop_token>
#include <string_view>

#include "build/build.h"
#include "cli/command.h"

namespace hearth::cli {

// Whether to write in colours to this descriptor: it is a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb
// says otherwise.
bool wants_colours(int fd, const Environment& environment);

// A console whose log goes to `log_fd` (1 or 2) and whose diagnostics and progress (screen.h) go to stderr. Colours and
// '\r' progress only where that is a terminal; no colours with NO_COLOR (no-color.org) or TERM=dumb. Once the reader
// has gone away (EPIPE) the rest is dropped, and the build goes on. One that is there and does not read holds the build
// up, until `stop` (screen.h).
build::Console terminal_console(int log_fd, build::LogFormat format, const Environment& environment,
                                std::stop_token stop);

}  // namespace hearth::cli
