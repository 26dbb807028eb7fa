// Whether another user can walk to a directory of ours.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "util/error.h"

namespace hearth::sandbox {

// The uid that commands run as: the configured one where we are root, else our own.
uid_t build_user(uid_t configured);

// invalid, with the first directory on the way that does not let `user` in. By mode bits; always well where we are not
// root, since the user is ourselves.
Result<void> check_reachable(const std::filesystem::path& directory, uid_t user);

}  // namespace hearth::sandbox
