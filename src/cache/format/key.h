// Free text in the place of an app's name, as CI jobs have it: "linux-npm-3f9c…", "cargo target, main".
#pragma once

#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::cache {

// Name::app for a cache that is called by `key`: 1 to 512 characters (the limit of GitHub's actions/cache) of any text.
// A key that can be an app's name is that app's name. One whose name would be longer than stores allow is cut, and told
// from others by its SHA-256. Empty or too long: invalid.
Result<std::string> app_of_key(std::string_view key);

}  // namespace hearth::cache
