// What a directory holds: its entries as the file system tells them, without reading any content.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/path.h"
#include "cache/tree/directories.h"
#include "cache/tree/warnings.h"
#include "util/error.h"
#include "util/ignore_rules.h"

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
  Path path;  // relative to the root, as the file system spells it
  FileStatus status;
  bool has_other_names = false;  // hard links to it, inside of the tree or outside
  std::string_view target;       // of a symbolic link
};

// The entries of a tree in bytewise order of their paths, packed: 48 bytes each, the whole path of a directory, and the
// name of anything else.
class Listing {
 public:
  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  // The views are valid as long as the listing is neither moved nor destroyed.
  FoundEntry operator[](std::size_t index) const;
  FileStatus status(std::size_t index) const;
  // How many entries the rules left out; what lies in a directory among them does not count.
  std::uint64_t left_out() const { return left_out_; }
  // Whether everything belongs to the user and the group that the root belongs to.
  bool has_one_owner() const { return has_one_owner_; }
  // A file that was changed since: what it is now.
  void renew(std::size_t index, const FileStatus& status);
  // Takes these entries out, by index. Whoever takes out a directory takes out all that lies in it.
  void remove(const std::vector<bool>& gone);

 private:
  friend class Walker;
  struct Row {
    std::uint64_t inode;
    std::uint64_t size;
    std::int64_t mtime;
    std::int64_t ctime;
    std::uint32_t text;    // in text_: the path of a directory, the name of anything else; then the target
    std::uint32_t parent;  // the row of its directory, or kNoRow
    std::uint16_t mode;
    std::uint16_t device;  // index into devices_
    std::uint16_t path_bytes;
    std::uint16_t target_bytes : 15;
    std::uint16_t has_other_names : 1;
  };
  static constexpr std::uint32_t kNoRow = UINT32_MAX;

  std::string_view directory(std::uint32_t row) const;
  std::uint16_t number_of(std::uint64_t device);

  std::string text_;
  std::vector<std::uint64_t> devices_;
  std::vector<Row> rows_;
  std::uint64_t left_out_ = 0;
  bool has_one_owner_ = true;
};

// Every directory, file and symbolic link below the root (which itself is left out), listed by `threads` threads.
// Nothing is followed. Sockets, pipes, devices, what unreadable directories hold, and paths longer than kPathLimit are
// left out with a warning; what vanishes meanwhile is left out silently, and so is what a rule of `exclude` names, with
// all that lies in it. Errors: cancelled, those of the root itself, no descriptor or memory left (unavailable), and
// more entries than a listing can hold (invalid).
Result<Listing> walk(const Directories::Handle& root, unsigned threads, const util::IgnoreRules& exclude,
                     Warnings& warnings, const std::stop_token& stop);

}  // namespace hearth::cache
