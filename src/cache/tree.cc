#include "cache/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <string_view>

#include "cache/manifest.h"

namespace hearth::cache {

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// A directory whose entries are still to be listed; the parent stays open as long as children wait.
struct Pending {
  Directories::Handle parent;
  std::string path;
};

class Walker {
 public:
  Walker(Warnings& warnings, const std::stop_token& stop) : warnings_(warnings), stop_(stop) {}

  Result<std::vector<FoundEntry>> run(const Directories::Handle& root) {
    TRY(list(root, ""));
    while (!pending_.empty()) {
      if (stop_.stop_requested()) return fail(ErrorKind::cancelled, "stopped while listing the cache directory");
      Pending next = std::move(pending_.back());
      pending_.pop_back();
      descend(next);
    }
    std::ranges::sort(found_, {}, &FoundEntry::path);
    return std::move(found_);
  }

 private:
  void descend(const Pending& pending) {
    const std::string name(name_of(pending.path));
    util::Fd fd(::openat(pending.parent->get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
      skip(errno, pending.path);
      return;
    }
    const Result<void> listed = list(std::make_shared<const util::Fd>(std::move(fd)), pending.path);
    if (!listed) warnings_.add(listed.error().message);
  }

  Result<void> list(const Directories::Handle& directory, const std::string& path) {
    // Another descriptor, since a DIR owns and moves the one that it reads.
    util::Fd own(::openat(directory->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return fail_errno(errno, fmt::format("reading the directory {}", path));
    const std::unique_ptr<DIR, CloseDirectory> listing(::fdopendir(own.get()));
    if (!listing) return fail_errno(errno, fmt::format("reading the directory {}", path));
    own.release();
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(listing.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") add(directory, path, name);
    }
    if (errno != 0) return fail_errno(errno, fmt::format("reading the directory {}", path));
    return {};
  }

  void add(const Directories::Handle& directory, const std::string& parent, std::string_view name) {
    FoundEntry entry;
    entry.path = parent.empty() ? std::string(name) : fmt::format("{}/{}", parent, name);
    if (entry.path.size() > kPathLimit) {
      warnings_.add(fmt::format("left out of the cache: {}… (the path is too long)", entry.path.substr(0, 80)));
      return;
    }
    const std::string terminated(name);
    struct stat status{};
    if (::fstatat(directory->get(), terminated.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      skip(errno, entry.path);
      return;
    }
    entry.status = file_status(status);
    entry.links = status.st_nlink;
    if (entry.status.is_directory()) {
      pending_.push_back({directory, entry.path});
    } else if (entry.status.is_symlink()) {
      if (!read_target(*directory, terminated, entry)) return;
    } else if (!entry.status.is_file()) {
      warnings_.add(fmt::format("left out of the cache: {} (neither a file, a directory nor a link)", entry.path));
      return;
    }
    found_.push_back(std::move(entry));
  }

  bool read_target(const util::Fd& directory, const std::string& name, FoundEntry& entry) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
    if (length < 0) {
      skip(errno, entry.path);
      return false;
    }
    entry.target.assign(target.data(), static_cast<std::size_t>(length));
    return true;
  }

  void skip(int code, const std::string& path) {
    if (code == ENOENT || code == ENOTDIR) return;
    warnings_.add(fail_errno(code, fmt::format("left out of the cache: {}", path)).error().message);
  }

  Warnings& warnings_;
  const std::stop_token& stop_;
  std::vector<Pending> pending_;
  std::vector<FoundEntry> found_;
};

// Times outside of the range of 64 bits (1677 to 2262) are moved to its ends.
std::int64_t to_nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t result = 0;
  const bool overflow = __builtin_mul_overflow(std::int64_t{time.tv_sec}, kSecond, &result) ||
                        __builtin_add_overflow(result, std::int64_t{time.tv_nsec}, &result);
  if (!overflow) return result;
  return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
}

}  // namespace

FileStatus file_status(const struct stat& status) {
  FileStatus result;
  result.device = status.st_dev;
  result.inode = status.st_ino;
  result.size = static_cast<std::uint64_t>(status.st_size);
  result.mtime = to_nanoseconds(status.st_mtim);
  result.ctime = to_nanoseconds(status.st_ctim);
  result.mode = status.st_mode & ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
  return result;
}

Result<std::vector<FoundEntry>> walk(const Directories::Handle& root, Warnings& warnings, const std::stop_token& stop) {
  return Walker(warnings, stop).run(root);
}

}  // namespace hearth::cache
