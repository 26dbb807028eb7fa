#include "sandbox/reach.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace hearth::sandbox {

uid_t build_user(uid_t configured) {
  return ::geteuid() == 0 ? configured : ::geteuid();
}

Result<void> check_reachable(const std::filesystem::path& directory, uid_t user) {
  if (::geteuid() != 0) return {};
  for (std::filesystem::path path = directory; path.has_relative_path(); path = path.parent_path()) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, path.native());
    const mode_t needed = status.st_uid == user ? S_IXUSR : status.st_gid == user ? S_IXGRP : S_IXOTH;
    if ((status.st_mode & needed) == 0) {
      return fail(ErrorKind::invalid,
                  "the build user (uid {}) cannot enter {} (mode {:04o}); choose another work directory", user,
                  path.native(), status.st_mode & 07777U);
    }
  }
  return {};
}

}  // namespace hearth::sandbox
