// The documented exit codes of `hearth`, and the one place that derives them.
#pragma once

#include "build/report.h"
#include "util/error.h"

namespace hearth::cli {

enum class ExitCode {
  success = 0,
  app_failed = 1,    // the app or a buildpack failed
  usage = 2,         // the command line or a setting cannot be used
  no_buildpack = 3,  // none was named, none detected the app
  source = 4,        // the source, a buildpack or a slug could not be had
  store = 5,         // the store failed where it matters
  internal = 70,     // our own fault, or this machine's
  deadline = 124,    // a deadline was up
};

// `signal` is the one that asked us to stop, 0 where none did: interruptions exit with 128 + signal.
int exit_code(build::FailureClass failure, int signal);
// For the `cache` commands under --strict, and for what goes wrong before there is a build.
int exit_code(ErrorKind kind, int signal);

}  // namespace hearth::cli
