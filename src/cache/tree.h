// What a directory holds: its entries as the file system tells them, without reading any content.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/directories.h"
#include "cache/warnings.h"
#include "util/error.h"

namespace hearth::cache {

// What lstat tells of an entry, as far as a change of its content or its metadata shows in it.
struct FileStatus {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  // bytes
  std::int64_t mtime = 0;  // nanoseconds since 1970, as ctime
  std::int64_t ctime = 0;
  std::uint32_t mode = 0;  // st_mode with the type; without set-user-id and set-group-id

  auto operator<=>(const FileStatus&) const = default;
  bool is_directory() const { return S_ISDIR(mode); }
  bool is_file() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
};

FileStatus file_status(const struct stat& status);

struct FoundEntry {
  std::string path;  // relative to the root, as the file system spells it
  FileStatus status;
  std::uint64_t links = 1;  // names that the file has, also outside the tree
  std::string target;       // of a symbolic link
};

// Every directory, file and symbolic link below the root (which itself is left out), in bytewise order of the paths.
// Nothing is followed. Sockets, pipes, devices, what unreadable directories hold, and paths longer than 4,095 bytes are
// left out with a warning; what vanishes meanwhile is left out silently. Errors: cancelled, and those of the root
// itself.
Result<std::vector<FoundEntry>> walk(const Directories::Handle& root, Warnings& warnings, const std::stop_token& stop);

}  // namespace hearth::cache
