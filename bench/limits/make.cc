// The cheapest way to create a tree that we know of: no journal, no verification, no temporary names; one directory
// descriptor for all files of a directory, one openat, write, fchmod where the mode differs, and futimens a file.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

using Files = std::pair<std::string, std::vector<const Loaded*>>;  // a directory, and what is made in it

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

const char* name_of(const std::string& path) {
  return path.c_str() + path.rfind('/') + 1;
}

Result<void> make_file(int directory, const Loaded& entry) {
  const char* name = name_of(entry.node.path);
  const mode_t mode = entry.node.status.st_mode & 07777;
  const util::Fd fd(::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return fail_errno(errno, entry.node.path);
  TRY(util::write_full(fd.get(), entry.content));
  if ((mode & 07022) != 0 && ::fchmod(fd.get(), mode) != 0) return fail_errno(errno, entry.node.path);
  const std::array times{entry.node.status.st_mtim, entry.node.status.st_mtim};
  if (::futimens(fd.get(), times.data()) != 0) return fail_errno(errno, entry.node.path);
  return {};
}

Result<void> make_symlink(int directory, const Loaded& entry) {
  const char* name = name_of(entry.node.path);
  const std::array times{entry.node.status.st_mtim, entry.node.status.st_mtim};
  if (::symlinkat(entry.content.c_str(), directory, name) != 0) return fail_errno(errno, entry.node.path);
  if (::utimensat(directory, name, times.data(), AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(errno, entry.node.path);
  return {};
}

Result<void> fill(int root, const Files& files) {
  const util::Fd directory(::openat(root, files.first.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno(errno, files.first);
  for (const Loaded* entry : files.second) {
    TRY(S_ISLNK(entry->node.status.st_mode) ? make_symlink(directory.get(), *entry)
                                            : make_file(directory.get(), *entry));
  }
  return {};
}

Result<void> finish_directories(int root, const std::vector<const Loaded*>& directories) {
  for (auto entry = directories.rbegin(); entry != directories.rend(); ++entry) {
    const std::string& path = (*entry)->node.path;
    const struct stat& status = (*entry)->node.status;
    const std::array times{status.st_mtim, status.st_mtim};
    if (::fchmodat(root, path.c_str(), status.st_mode & 07777, 0) != 0) return fail_errno(errno, path);
    if (::utimensat(root, path.c_str(), times.data(), 0) != 0) return fail_errno(errno, path);
  }
  return {};
}

}  // namespace

Result<void> make(const std::filesystem::path& root, const std::vector<const Loaded*>& entries) {
  const util::Fd fd = TRY(util::open_file(root, O_PATH | O_DIRECTORY));
  std::vector<const Loaded*> directories;
  std::vector<const Loaded*> links;
  std::map<std::string, std::vector<const Loaded*>> by_directory;
  for (const Loaded* entry : entries) {
    if (S_ISDIR(entry->node.status.st_mode)) {
      const std::string& path = entry->node.path;
      if (::mkdirat(fd.get(), path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, path);
      directories.push_back(entry);
    } else if (!entry->first.empty()) {
      links.push_back(entry);
    } else {
      by_directory[parent_of(entry->node.path)].push_back(entry);
    }
  }
  const std::vector<Files> all(by_directory.begin(), by_directory.end());
  TRY(for_each(all.size(), [&](std::size_t i) { return fill(fd.get(), all[i]); }));
  for (const Loaded* link : links) {
    if (::linkat(fd.get(), link->first.c_str(), fd.get(), link->node.path.c_str(), 0) != 0) {
      return fail_errno(errno, link->node.path);
    }
  }
  return finish_directories(fd.get(), directories);
}

Result<void> sync_file_system(const std::filesystem::path& path) {
  const util::Fd fd = TRY(util::open_file(path, O_RDONLY | O_DIRECTORY));
  if (::syncfs(fd.get()) != 0) return fail_errno(errno, path.native());
  return {};
}

}  // namespace hearth::bench
