// The settings that AWS's tools share in files: ~/.aws/config and ~/.aws/credentials.
#pragma once

#include <map>
#include <string>

#include "store/s3/credentials.h"
#include "util/error.h"

namespace hearth::store::s3 {

using Profile = std::map<std::string, std::string>;

// Lower-case names to values of one profile; where both files have one, the credentials file wins. Files that are
// absent are empty, and so are those below a HOME that cannot be entered, unless a variable names them. `name` empty:
// AWS_PROFILE, AWS_DEFAULT_PROFILE, "default"; a profile that was named by any of these and is in neither file is
// invalid.
Result<Profile> read_profile(const Environment& environment, const std::string& name);

// "" where it is not set.
std::string setting(const Profile& profile, const std::string& name);

}  // namespace hearth::store::s3
