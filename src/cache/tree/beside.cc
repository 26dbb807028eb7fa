#include "cache/tree/beside.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace hearth::cache {

namespace fs = std::filesystem;

namespace {

fs::path parent_directory(const fs::path& directory) {
  return directory.has_parent_path() ? directory.parent_path() : fs::path(".");
}

std::string staging_prefix(const fs::path& directory) {
  return fmt::format(".{}.hearth-restore-", directory.filename().native());
}

void remove_abandoned(const fs::path& directory) {
  const std::string prefix = staging_prefix(directory);
  std::error_code ignored;
  for (fs::directory_iterator next(parent_directory(directory), ignored), end; next != end; next.increment(ignored)) {
    if (!next->path().filename().native().starts_with(prefix)) continue;
    const Result<util::Fd> fd = util::open_file(next->path(), util::kDirectoryFlags);
    // What cannot be removed now is tried again by the next restore.
    if (fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) std::ignore = util::remove_tree(next->path());
  }
}

}  // namespace

fs::path tidy(const fs::path& directory) {
  const fs::path normal = directory.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

fs::path probe_path(const fs::path& directory) {
  return parent_directory(directory) / fmt::format(".{}.hearth-probe", directory.filename().native());
}

Result<Staging> Staging::create(const fs::path& directory) {
  remove_abandoned(directory);
  util::TempDir temporary = TRY(util::TempDir::create(parent_directory(directory), staging_prefix(directory)));
  util::Fd lock = TRY(util::open_file(temporary.path(), util::kDirectoryFlags));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail_errno(errno, fmt::format("locking {}", temporary.path().native()));
  }
  return Staging(std::move(temporary), std::move(lock));
}

Result<Staging> Staging::adopt(const fs::path& directory) {
  remove_abandoned(directory);
  // Locked before it has a name that says it may be removed.
  util::Fd lock = TRY(util::open_file(directory, util::kDirectoryFlags));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail_errno(errno, fmt::format("locking {}", directory.native()));
  }
  util::TempDir temporary = TRY(util::TempDir::create(parent_directory(directory), staging_prefix(directory)));
  if (::rename(directory.c_str(), temporary.path().c_str()) != 0 || ::fchmod(lock.get(), S_IRWXU) != 0) {
    return fail_errno(errno, fmt::format("setting {} aside", directory.native()));
  }
  return Staging(std::move(temporary), std::move(lock));
}

Result<void> Staging::publish(const fs::path& directory) {
  if (::rename(temporary_.path().c_str(), directory.c_str()) != 0) {
    return fail_errno(errno, fmt::format("renaming the restored cache to {}", directory.native()));
  }
  temporary_.release();
  return {};
}

}  // namespace hearth::cache
