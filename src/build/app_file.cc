#include "build/app_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "util/file.h"
#include "util/rooted_tree.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// Without blocking on a fifo, and never outside of `root`.
util::Fd open_below(const util::Fd& root, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  util::Fd file(static_cast<int>(::syscall(SYS_openat2, root.get(), name.c_str(), &how, sizeof how)));
  // Where openat2 cannot be had (an old kernel, a container's filter), links are not followed at all.
  if (!file && (errno == ENOSYS || errno == EPERM)) {
    file = util::Fd(::openat(root.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  }
  return file;
}

}  // namespace

Result<std::string> read_app_file(const fs::path& app_dir, const std::string& name, std::uint64_t limit) {
  const util::Fd root = TRY(util::open_file(app_dir, O_RDONLY | O_DIRECTORY));
  const util::Fd file = open_below(root, name);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorKind::not_found, "{} is no file in the app", name);
  }
  if (static_cast<std::uint64_t>(status.st_size) > limit) {
    return fail(ErrorKind::invalid, "{} is larger than {} bytes", name, limit);
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  const std::size_t count = TRY(within(name, util::read_full(file.get(), std::as_writable_bytes(std::span(bytes)))));
  bytes.resize(count);
  return bytes;
}

Result<void> write_app_file(const fs::path& app_dir, const std::string& name, std::string_view bytes,
                            std::optional<uid_t> owner) {
  util::RootedTree tree = TRY(util::RootedTree::open(app_dir, owner));
  const util::Fd file = TRY(tree.create_file(name));
  TRY(within(name, util::write_full(file.get(), bytes)));
  if (::fchmod(file.get(), 0644) != 0) return fail_errno(errno, name);
  return tree.finish({});
}

}  // namespace hearth::build
