// Makes directories, files and links of a new tree, each with its final owner, mode and times, and never outside it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cache/tree/directories.h"
#include "cache/tree/tree.h"
#include "util/error.h"

namespace hearth::cache {

struct Attributes {
  std::uint32_t mode = 0;  // permission bits and the sticky bit; others are ignored
  std::int64_t mtime = 0;  // nanoseconds since 1970
};

// Content for a part of a file.
struct Piece {
  std::uint64_t offset = 0;  // within the file
  std::span<const std::byte> bytes;
};

// For one thread; several may fill one tree, each with a Creator of its own. Paths are relative to the root; what they
// name must not exist yet, and their parents must. Errors are those of the file system (io, denied), and mean that the
// tree is of no use.
class Creator {
 public:
  // `owner`: uid and gid of everything created; absent: the process's own.
  Creator(Directories directories, std::optional<uid_t> owner);

  // Only the owner can enter it until finish_directory.
  Result<void> make_directory(const Path& path);
  // Once nothing is to be created in it or below it any more.
  Result<void> finish_directory(const Path& path, const Attributes& attributes);

  // A whole file of `size` bytes; what no piece covers is a hole.
  Result<FileStatus> make_file(const Path& path, const Attributes& attributes, std::uint64_t size,
                               std::span<const Piece> pieces);

  // The same in steps, which may be taken by different threads: begin once, write the pieces in any order, finish once.
  // A file that is there already is finished alone.
  Result<void> begin_file(const Path& path, std::uint64_t size);
  Result<void> write_piece(const Path& path, const Piece& piece);
  Result<FileStatus> finish_file(const Path& path, const Attributes& attributes);

  Result<void> make_symlink(const Path& path, const std::string& target, std::int64_t mtime);
  // Another name of the finished file `existing`.
  Result<void> make_hard_link(const Path& path, const Path& existing);
  // lstat.
  Result<FileStatus> status(const Path& path);

 private:
  Result<util::Fd> open(const Path& path, int flags, mode_t mode);
  Result<FileStatus> finish(const util::Fd& fd, const Path& path, const Attributes& attributes) const;

  Directories directories_;
  std::optional<uid_t> owner_;
};

}  // namespace hearth::cache
