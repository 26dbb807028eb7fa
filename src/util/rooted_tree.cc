#include "util/rooted_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "util/text.h"

namespace hearth::util {

namespace {

constexpr mode_t kOnTheWay = 0755;

std::string leaf_of(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
}

std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool is_directory(int parent, const char* name) {
  struct stat status{};
  return ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

// At most `most` of the names in the directory.
Result<std::vector<std::string>> names_in(int directory, std::size_t most) {
  Fd again(::openat(directory, ".", kDirectoryFlags));
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(again ? ::fdopendir(again.get()) : nullptr,
                                                            close_directory);
  if (!dir) return fail_errno(errno, "reading the directory");
  again.release();
  std::vector<std::string> names;
  while (names.size() < most) {
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

timespec or_untouched(const std::optional<timespec>& mtime) {
  return mtime.value_or(timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT});
}

}  // namespace

Result<RootedTree> RootedTree::open(const std::filesystem::path& root, std::optional<uid_t> owner) {
  Fd fd = TRY(open_file(root, kDirectoryFlags));
  if (owner == ::geteuid()) owner.reset();
  return RootedTree(std::move(fd), owner);
}

Result<void> RootedTree::give_away(int parent, const char* name) {
  if (!owner_ || ::fchownat(parent, name, *owner_, *owner_, AT_SYMLINK_NOFOLLOW) == 0) return {};
  return fail_errno(errno, fmt::format("giving {} to user {}", shown(name), *owner_));
}

Result<void> RootedTree::make_on_the_way(int parent, std::string_view path, const char* name) {
  if (::mkdirat(parent, name, kOnTheWay) != 0) {
    return fail_errno(errno, fmt::format("making the directory {}", shown(path)));
  }
  ++made_on_the_way_;
  return give_away(parent, name);
}

Result<Fd> RootedTree::enter(int parent, std::string_view path, const std::string& component, Missing missing) {
  Fd fd(::openat(parent, component.c_str(), kDirectoryFlags));
  if (!fd && errno == ENOENT && missing == Missing::make) {
    TRY(make_on_the_way(parent, path, component.c_str()));
    fd = Fd(::openat(parent, component.c_str(), kDirectoryFlags));
    // The process's mask has had its say.
    if (fd && ::fchmod(fd.get(), kOnTheWay) != 0) {
      return fail_errno(errno, fmt::format("setting the mode of {}", shown(path)));
    }
  }
  if (fd) return fd;
  if (errno == ELOOP || errno == ENOTDIR) {
    return fail(ErrorKind::invalid, "the path goes through {}, which is a link or a file", shown(path));
  }
  return fail_errno(errno, fmt::format("opening {}", shown(path)));
}

Result<Fd> RootedTree::walk(std::string_view directory, Missing missing) {
  Fd here(::openat(root_.get(), ".", kDirectoryFlags));
  if (!here) return fail_errno(errno, "opening the directory");
  if (directory.empty()) return here;
  std::size_t end = 0;
  for (const std::string_view component : split(directory, '/')) {
    end += component.size() + (end == 0 ? 0 : 1);
    here = TRY(enter(here.get(), directory.substr(0, end), std::string(component), missing));
  }
  return here;
}

Result<int> RootedTree::parent_of(std::string_view path, Missing missing) {
  const std::string_view directory = directory_of(path);
  if (!last_parent_fd_ || directory != last_parent_) {
    last_parent_fd_ = TRY(walk(directory, missing));
    last_parent_ = directory;
  }
  return last_parent_fd_.get();
}

Result<void> RootedTree::make_room(int parent, const std::string& path) {
  const std::string leaf = leaf_of(path);
  if (::unlinkat(parent, leaf.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (!is_directory(parent, leaf.c_str())) return fail_errno(errno, fmt::format("replacing {}", shown(path)));
  if (::unlinkat(parent, leaf.c_str(), AT_REMOVEDIR) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST) {
      return fail(ErrorKind::invalid, "{} replaces a directory that is not empty", shown(path));
    }
    return fail_errno(errno, fmt::format("replacing {}", shown(path)));
  }
  directories_.erase(path);
  return {};
}

Result<void> RootedTree::make_directory(const std::string& path, mode_t mode, std::optional<timespec> mtime) {
  const int parent = TRY(parent_of(path, Missing::make));
  const std::string leaf = leaf_of(path);
  if (!is_directory(parent, leaf.c_str())) {
    TRY(make_room(parent, path));
    if (::mkdirat(parent, leaf.c_str(), 0700) != 0) {
      return fail_errno(errno, fmt::format("making the directory {}", shown(path)));
    }
    TRY(give_away(parent, leaf.c_str()));
  }
  directories_[path] = {mode, mtime};
  return {};
}

Result<Fd> RootedTree::create_file(const std::string& path) {
  const int parent = TRY(parent_of(path, Missing::make));
  TRY(make_room(parent, path));
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(::openat(parent, leaf_of(path).c_str(), kFlags, 0600));
  if (!fd) return fail_errno(errno, fmt::format("creating {}", shown(path)));
  if (owner_ && ::fchown(fd.get(), *owner_, *owner_) != 0) {
    return fail_errno(errno, fmt::format("giving {} to user {}", shown(path), *owner_));
  }
  return fd;
}

Result<void> RootedTree::make_symlink(const std::string& path, const std::string& target,
                                      std::optional<timespec> mtime) {
  const int parent = TRY(parent_of(path, Missing::make));
  TRY(make_room(parent, path));
  const std::string leaf = leaf_of(path);
  if (::symlinkat(target.c_str(), parent, leaf.c_str()) != 0) {
    const ErrorKind kind = errno == ENAMETOOLONG || errno == ENOENT ? ErrorKind::invalid : ErrorKind::io;
    return fail(kind, "making the symbolic link {}: {}", shown(path), std::generic_category().message(errno));
  }
  TRY(give_away(parent, leaf.c_str()));
  const timespec times[2] = {or_untouched({}), or_untouched(mtime)};
  if (::utimensat(parent, leaf.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, fmt::format("setting the time of {}", shown(path)));
  }
  return {};
}

Result<void> RootedTree::make_hard_link(const std::string& path, const std::string& target) {
  if (path == target) return {};
  Result<Fd> from = walk(directory_of(target), Missing::refuse);
  if (!from && from.error().kind != ErrorKind::not_found) return std::unexpected(from.error());
  struct stat status{};
  if (!from || ::fstatat(from->get(), leaf_of(target).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(ErrorKind::invalid, "a hard link to {}, which is not there", shown(target));
  }
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::invalid, "a hard link to the directory {}", shown(target));
  const int parent = TRY(parent_of(path, Missing::make));
  TRY(make_room(parent, path));
  // Without AT_SYMLINK_FOLLOW a target that is a symbolic link is linked itself.
  if (::linkat(from->get(), leaf_of(target).c_str(), parent, leaf_of(path).c_str(), 0) != 0) {
    return fail_errno(errno, fmt::format("linking {}", shown(path)));
  }
  return {};
}

Result<void> RootedTree::strip_sole_folder() {
  const std::vector<std::string> top = TRY(names_in(root_.get(), 2));
  if (top.size() != 1 || !is_directory(root_.get(), top[0].c_str())) return {};
  // Out of the way first: the folder may hold something of its own name.
  const std::string aside = ".hearth-top-" + random_hex(8);
  if (::renameat(root_.get(), top[0].c_str(), root_.get(), aside.c_str()) != 0) return fail_errno(errno, "renaming");
  const Fd folder = TRY(walk(aside, Missing::refuse));
  const std::vector<std::string> names = TRY(names_in(folder.get(), SIZE_MAX));
  for (const std::string& name : names) {
    if (::renameat(folder.get(), name.c_str(), root_.get(), name.c_str()) != 0) {
      return fail_errno(errno, fmt::format("moving {} up", shown(name)));
    }
  }
  if (::unlinkat(root_.get(), aside.c_str(), AT_REMOVEDIR) != 0) return fail_errno(errno, "removing the top folder");
  last_parent_fd_.close();
  decltype(directories_) moved;
  for (auto& [path, wanted] : directories_) {
    if (path.size() > top[0].size()) moved.emplace(path.substr(top[0].size() + 1), wanted);
  }
  directories_ = std::move(moved);
  return {};
}

Result<void> RootedTree::apply(const std::string& path, const Directory& wanted) {
  const int parent = TRY(parent_of(path, Missing::refuse));
  const Fd fd(::openat(parent, leaf_of(path).c_str(), kDirectoryFlags));
  const timespec times[2] = {or_untouched({}), or_untouched(wanted.mtime)};
  if (!fd || ::fchmod(fd.get(), wanted.mode) != 0 || ::futimens(fd.get(), times) != 0) {
    return fail_errno(errno, fmt::format("setting mode and time of {}", shown(path)));
  }
  return {};
}

Result<void> RootedTree::finish(const std::stop_token& stop) {
  last_parent_fd_.close();
  for (auto entry = directories_.rbegin(); entry != directories_.rend(); ++entry) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while setting modes and times");
    TRY(apply(entry->first, entry->second));
  }
  last_parent_fd_.close();
  directories_.clear();
  return {};
}

}  // namespace hearth::util
