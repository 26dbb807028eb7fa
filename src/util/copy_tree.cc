#include "util/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "util/file.h"
#include "util/rooted_tree.h"

namespace hearth::util {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kNamedSkipped = 10;
constexpr mode_t kModeBits = 01777;  // without setuid and setgid

struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};

Identity identity(const struct stat& status) {
  return {status.st_dev, status.st_ino};
}

Result<std::vector<std::string>> names_in(const Fd& directory) {
  const int copy = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(::fdopendir(copy), close_directory);
  if (!dir) {
    const int code = errno;
    if (copy >= 0) ::close(copy);
    return fail_errno(code, "reading the directory");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

class Copy {
 public:
  Copy(RootedTree tree, Identity destination, const CopyOptions& options, std::stop_token stop)
      : tree_(std::move(tree)), destination_(destination), options_(options), stop_(std::move(stop)) {}

  Result<Copied> run(const Fd& from) {
    TRY(directory(from, ""));
    TRY(tree_.finish(stop_));
    return std::move(copied_);
  }

 private:
  Result<void> directory(const Fd& from, const std::string& relative) {
    const std::vector<std::string> names = TRY(within(relative, names_in(from)));
    for (const std::string& name : names) {
      if (stop_.stop_requested()) return fail(ErrorKind::cancelled, "copying was stopped");
      const std::string path = relative.empty() ? name : relative + "/" + name;
      if (options_.leave_out && options_.leave_out(path)) continue;
      TRY(entry(from, name, path));
    }
    return {};
  }

  Result<void> entry(const Fd& parent, const std::string& name, const std::string& path) {
    struct stat status{};
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? Result<void>{} : fail_errno(errno, path);
    }
    if (S_ISDIR(status.st_mode)) {
      if (identity(status) == destination_) return {};
      const Fd child(::openat(parent.get(), name.c_str(), kDirectoryFlags));
      if (!child) return fail_errno(errno, path);
      TRY(tree_.make_directory(path, status.st_mode & kModeBits, mtime_of(status)));
      ++copied_.entries;
      return directory(child, path);
    }
    if (S_ISREG(status.st_mode)) return within(path, file(parent, name, path));
    if (S_ISLNK(status.st_mode)) return within(path, link(parent, name, path, mtime_of(status)));
    if (copied_.skipped.size() < kNamedSkipped) copied_.skipped.push_back(path);
    return {};
  }

  Result<void> file(const Fd& parent, const std::string& name, const std::string& path) {
    const Fd from(::openat(parent.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!from || ::fstat(from.get(), &status) != 0) return fail_errno(errno, "opening");
    const Fd to = TRY(tree_.create_file(path));
    TRY(content(from, to));
    if (::fchmod(to.get(), status.st_mode & kModeBits) != 0) return fail_errno(errno, "chmod");
    if (const auto mtime = mtime_of(status)) {
      const std::array<timespec, 2> times = {*mtime, *mtime};
      if (::futimens(to.get(), times.data()) != 0) return fail_errno(errno, "setting the time");
    }
    ++copied_.entries;
    return {};
  }

  std::optional<timespec> mtime_of(const struct stat& status) const {
    if (options_.mtimes == Mtimes::now) return std::nullopt;
    return status.st_mtim;
  }

  Result<void> content(const Fd& from, const Fd& to) {
    while (!stop_.stop_requested()) {
      const ssize_t count = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, kPiece, 0);
      if (count == 0) return {};
      if (count > 0) {
        copied_.bytes += static_cast<std::uint64_t>(count);
      } else if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM) {
        return content_by_hand(from, to);
      } else if (errno != EINTR) {
        return fail_errno(errno, "copying");
      }
    }
    return fail(ErrorKind::cancelled, "copying was stopped");
  }

  // Between file systems where the kernel cannot; goes on where copy_file_range stopped.
  Result<void> content_by_hand(const Fd& from, const Fd& to) {
    std::vector<std::byte> buffer(kPiece);
    while (!stop_.stop_requested()) {
      const std::size_t count = TRY(read_full(from.get(), buffer));
      if (count == 0) return {};
      TRY(write_full(to.get(), std::span(buffer).first(count)));
      copied_.bytes += count;
    }
    return fail(ErrorKind::cancelled, "copying was stopped");
  }

  Result<void> link(const Fd& parent, const std::string& name, const std::string& path, std::optional<timespec> mtime) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(parent.get(), name.c_str(), target.data(), target.size());
    if (length < 0) return fail_errno(errno, "reading the link");
    target.resize(static_cast<std::size_t>(length));
    ++copied_.entries;
    return tree_.make_symlink(path, target, mtime);
  }

  RootedTree tree_;
  Identity destination_;
  const CopyOptions& options_;
  std::stop_token stop_;
  Copied copied_;
};

}  // namespace

Result<Copied> copy_tree(const Fd& from, const fs::path& to, const CopyOptions& options, std::stop_token stop) {
  const bool fresh = ::mkdir(to.c_str(), 0755) == 0;
  if (!fresh && errno != EEXIST) return fail_errno(errno, to.native());
  // What is ours already stays as it is: our group may be another number than our user.
  const bool is_given = options.owner && *options.owner != ::geteuid();
  if (fresh && is_given && ::lchown(to.c_str(), *options.owner, *options.owner) != 0) {
    return fail_errno(errno, to.native());
  }
  struct stat status{};
  if (::lstat(to.c_str(), &status) != 0) return fail_errno(errno, to.native());
  RootedTree tree = TRY(RootedTree::open(to, options.owner));
  Copy copy(std::move(tree), identity(status), options, std::move(stop));
  return copy.run(from);
}

Result<Copied> copy_tree(const fs::path& from, const fs::path& to, const CopyOptions& options, std::stop_token stop) {
  const Fd directory = TRY(open_file(from, kDirectoryFlags));
  return copy_tree(directory, to, options, std::move(stop));
}

}  // namespace hearth::util
