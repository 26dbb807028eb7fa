#include "buildpack/app_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/file.h"

namespace hearth::buildpack {
namespace {

namespace fs = std::filesystem;

// Where the kernel (or a seccomp filter) has no openat2: one component at a time, and no links at all.
Result<util::Fd> walk_beneath(util::Fd directory, const fs::path& name, int flags) {
  for (auto part = name.begin(); part != name.end(); ++part) {
    if (part->empty() || *part == ".") continue;
    if (*part == ".." || *part == "/") return fail_errno(EXDEV, name.native());
    const bool last = std::next(part) == name.end();
    const int step = last ? flags : O_PATH | O_DIRECTORY;
    directory = util::Fd(openat(directory.get(), part->c_str(), step | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return fail_errno(errno, name.native());
  }
  return directory;
}

std::unexpected<Error> refused(int code, const std::string& name) {
  if (code == EXDEV || code == ELOOP)
    return fail(ErrorKind::invalid, "{} leads out of the app; only what lies inside of it can be used", name);
  return fail_errno(code, name);
}

Result<util::Fd> open_beneath(const fs::path& app_dir, const std::string& name, int flags) {
  util::Fd root = TRY(util::open_file(app_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  open_how how = {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, root.get(), name.c_str(), &how, sizeof how);
  if (fd >= 0) return util::Fd(static_cast<int>(fd));
  if (errno != ENOSYS && errno != EPERM) return refused(errno, name);
  return walk_beneath(std::move(root), name, flags);
}

}  // namespace

Result<std::optional<std::string>> read_app_file(const fs::path& app_dir, const std::string& name,
                                                 std::uint64_t limit) {
  auto file = open_beneath(app_dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && file.error().kind == ErrorKind::not_found) return std::nullopt;
  if (!file) return std::unexpected(std::move(file).error());
  struct stat status = {};
  if (fstat(file->get(), &status) != 0) return fail_errno(errno, name);
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, "{} is not a regular file", name);
  if (static_cast<std::uint64_t>(status.st_size) > limit)
    return fail(ErrorKind::invalid, "{} is larger than {} bytes", name, limit);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  text.resize(TRY(util::read_full(file->get(), std::as_writable_bytes(std::span(text)))));
  return text;
}

Result<util::Fd> app_directory(const fs::path& app_dir, const std::string& name) {
  return open_beneath(app_dir, name, O_RDONLY | O_DIRECTORY);
}

}  // namespace hearth::buildpack
