#include "util/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <memory>

#include "util/file.h"

namespace hearth::util {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kModeBits = 01777;  // without setuid and setgid
constexpr int kMaxDepth = 1000;      // each level holds two descriptors open

struct Copier {
  const CopyOptions& options;
  std::stop_token stop;
  int depth = 0;

  Result<void> directory(int from, int to, const fs::path& shown);
  Result<void> entry(int from, int to, const std::string& name, const fs::path& shown);
  Result<void> child_directory(int from, int to, const std::string& name, const struct stat& status,
                               const fs::path& shown);
  Result<void> file(int from, int to, const std::string& name, const struct stat& status, const fs::path& shown) const;
  Result<void> link(int from, int to, const std::string& name, const struct stat& status, const fs::path& shown) const;
  Result<void> finish(const Fd& fd, const struct stat& status, const fs::path& shown) const;
};

Result<Fd> open_at(int parent, const std::string& name, int flags, mode_t mode, const fs::path& shown) {
  Fd fd(openat(parent, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return fail_errno(errno, shown.native());
  return fd;
}

Result<std::vector<std::string>> names_in(int directory, const fs::path& shown) {
  const auto close_directory = [](DIR* dir) { closedir(dir); };
  const int copy = dup(directory);
  const std::unique_ptr<DIR, decltype(close_directory)> dir(copy < 0 ? nullptr : fdopendir(copy), close_directory);
  if (!dir) return fail_errno(errno, shown.native());
  std::vector<std::string> names;
  while (const dirent* item = readdir(dir.get())) {
    const std::string_view name = item->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

Result<void> copy_bytes(int from, int to, const fs::path& shown) {
  while (true) {
    const ssize_t count = copy_file_range(from, nullptr, to, nullptr, std::size_t{1} << 30, 0);
    if (count == 0) return {};
    if (count > 0 || errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM)
      return fail_errno(errno, shown.native());
    break;
  }
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const std::size_t count = TRY(read_full(from, buffer))) {
    TRY(write_full(to, std::span<const std::byte>(buffer.data(), count)));
  }
  return {};
}

// Ownership first: chown may clear mode bits.
Result<void> Copier::finish(const Fd& fd, const struct stat& status, const fs::path& shown) const {
  if (options.owner && fchown(fd.get(), *options.owner, *options.owner) != 0) return fail_errno(errno, shown.native());
  if (fchmod(fd.get(), status.st_mode & kModeBits) != 0) return fail_errno(errno, shown.native());
  const std::array<timespec, 2> times = {status.st_mtim, status.st_mtim};
  if (futimens(fd.get(), times.data()) != 0) return fail_errno(errno, shown.native());
  return {};
}

Result<void> Copier::file(int from, int to, const std::string& name, const struct stat& status,
                          const fs::path& shown) const {
  const Fd source = TRY(open_at(from, name, O_RDONLY | O_NONBLOCK, 0, shown));
  const Fd target = TRY(open_at(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600, shown));
  TRY(copy_bytes(source.get(), target.get(), shown));
  return finish(target, status, shown);
}

Result<void> Copier::link(int from, int to, const std::string& name, const struct stat& status,
                          const fs::path& shown) const {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = readlinkat(from, name.c_str(), target.data(), target.size());
  if (length < 0) return fail_errno(errno, shown.native());
  target.resize(static_cast<std::size_t>(length));
  if (symlinkat(target.c_str(), to, name.c_str()) != 0) return fail_errno(errno, shown.native());
  if (options.owner && fchownat(to, name.c_str(), *options.owner, *options.owner, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, shown.native());
  const std::array<timespec, 2> times = {status.st_mtim, status.st_mtim};
  if (utimensat(to, name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(errno, shown.native());
  return {};
}

Result<void> Copier::child_directory(int from, int to, const std::string& name, const struct stat& status,
                                     const fs::path& shown) {
  if (++depth > kMaxDepth) return fail(ErrorKind::invalid, "{}: more than {} levels deep", shown.native(), kMaxDepth);
  const Fd source = TRY(open_at(from, name, O_RDONLY | O_DIRECTORY, 0, shown));
  if (mkdirat(to, name.c_str(), 0700) != 0) return fail_errno(errno, shown.native());
  const Fd target = TRY(open_at(to, name, O_RDONLY | O_DIRECTORY, 0, shown));
  TRY(directory(source.get(), target.get(), shown));
  --depth;
  return finish(target, status, shown);
}

Result<void> Copier::entry(int from, int to, const std::string& name, const fs::path& shown) {
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "copying was stopped");
  struct stat status = {};
  if (fstatat(from, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(errno, shown.native());
  if (S_ISDIR(status.st_mode)) return child_directory(from, to, name, status, shown);
  if (S_ISREG(status.st_mode)) return file(from, to, name, status, shown);
  if (S_ISLNK(status.st_mode)) return link(from, to, name, status, shown);
  return {};
}

Result<void> Copier::directory(int from, int to, const fs::path& shown) {
  const auto names = TRY(names_in(from, shown));
  for (const std::string& name : names) {
    if (std::ranges::find(options.leave_out, name) != options.leave_out.end()) continue;
    TRY(entry(from, to, name, shown / name));
  }
  return {};
}

}  // namespace

Result<void> copy_tree(const fs::path& from, const fs::path& to, const CopyOptions& options, std::stop_token stop) {
  const Fd source = TRY(open_file(from, O_RDONLY | O_DIRECTORY));
  struct stat status = {};
  if (fstat(source.get(), &status) != 0) return fail_errno(errno, from.native());
  if (mkdir(to.c_str(), 0700) != 0) return fail_errno(errno, to.native());
  const Fd target = TRY(open_file(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  Copier copier{options, std::move(stop)};
  TRY(copier.directory(source.get(), target.get(), from));
  return copier.finish(target, status, to);
}

}  // namespace hearth::util
