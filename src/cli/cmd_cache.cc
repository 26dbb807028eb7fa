// hearth cache: keeps any directory, without a build.
#include "cli/command.h"

namespace hearth::cli {

void define_cache(CLI::App& root, Invocation& invocation) {
  (void)root;
  (void)invocation;
}

}  // namespace hearth::cli
