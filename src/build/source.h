// Brings the app's source into BUILD_DIR.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/build.h"
#include "fetch/fetch.h"
#include "util/error.h"
#include "util/unpack.h"

namespace hearth::build {

struct SourceRequest {
  std::string source;  // as BuildOptions has it
  Strip strip = Strip::automatic;
  std::filesystem::path build_dir;  // absent or empty
  std::optional<uid_t> owner;       // of everything in it, as sandbox::file_owner tells
  // How git gets at this repository; called only where the source is one.
  std::function<Result<fetch::GitAccess>(const fetch::Reference&)> git;
  util::UnpackLimits limits;
};

struct Source {
  std::string revision;               // git's sha; empty for other sources
  std::vector<std::string> warnings;  // what was left out
};

// Never changes the source, leaves .git out at every depth, gives everything to the owner and sets mtimes to now (an
// older source than the objects in the cache would make cargo and make ship the old binary). A source that does not
// exist is not_found, one that cannot be used invalid, denied or corrupt; the message names it, without its userinfo
// and query.
Result<Source> take_source(const SourceRequest& request, std::stop_token stop);

}  // namespace hearth::build
