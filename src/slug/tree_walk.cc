#include "slug/tree_walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace hearth::slug {

namespace {

std::unexpected<Error> unreadable(int code, const std::string& path) {
  if (code == ENOENT || code == ENOTDIR || code == ELOOP) {
    return fail(ErrorKind::io, "{} changed while it was being read; is a process still writing there?", path);
  }
  return fail_errno(code, fmt::format("reading {}", path));
}

// Directories compare as they stand in the tar, with a '/' at the end, so that the order of the names in each directory
// is the order of the paths in the tree.
bool comes_later(const WalkEntry& a, const WalkEntry& b) {
  const auto tar_name = [](const WalkEntry& entry) {
    return S_ISDIR(entry.status.st_mode) ? entry.name + "/" : entry.name;
  };
  return tar_name(a) > tar_name(b);
}

Result<std::vector<std::string>> names_in(const util::Fd& directory, const std::string& shown) {
  util::Fd again(::openat(directory.get(), ".", util::kDirectoryFlags));
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(again ? ::fdopendir(again.get()) : nullptr,
                                                            close_directory);
  if (!dir) return unreadable(errno, shown);
  again.release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr && errno != 0) return unreadable(errno, shown);
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

}  // namespace

Result<TreeWalk> TreeWalk::open(const std::filesystem::path& root) {
  TreeWalk walk;
  util::Fd directory = TRY(util::open_file(root, util::kDirectoryFlags));
  TRY(walk.descend(std::move(directory), ""));
  return walk;
}

Result<void> TreeWalk::descend(util::Fd directory, std::string prefix) {
  Level level{.directory = std::move(directory), .prefix = std::move(prefix), .reversed = {}};
  const std::vector<std::string> names = TRY(names_in(level.directory, level.prefix));
  for (const std::string& name : names) {
    WalkEntry entry{.path = level.prefix + name, .name = name, .parent = level.directory.get()};
    if (::fstatat(entry.parent, name.c_str(), &entry.status, AT_SYMLINK_NOFOLLOW) != 0) {
      return unreadable(errno, entry.path);
    }
    level.reversed.push_back(std::move(entry));
  }
  std::ranges::sort(level.reversed, comes_later);
  levels_.push_back(std::move(level));
  return {};
}

Result<std::optional<WalkEntry>> TreeWalk::next() {
  if (enter_) {
    util::Fd directory(::openat(enter_->parent, enter_->name.c_str(), util::kDirectoryFlags));
    if (!directory) return unreadable(errno, enter_->path);
    TRY(descend(std::move(directory), enter_->path + "/"));
    enter_.reset();
  }
  while (!levels_.empty() && levels_.back().reversed.empty()) levels_.pop_back();
  if (levels_.empty()) return std::optional<WalkEntry>();
  WalkEntry entry = std::move(levels_.back().reversed.back());
  levels_.back().reversed.pop_back();
  if (S_ISDIR(entry.status.st_mode)) enter_ = entry;
  return std::optional(std::move(entry));
}

}  // namespace hearth::slug
