// Writes below one directory and never outside of it, whatever the paths say.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "util/error.h"
#include "util/file.h"

namespace hearth::util {

// Paths are relative, without empty, "." and ".." components. Missing directories on the way are made (0755); a link
// or a file on the way is invalid. What stands at the path itself is replaced, as tar does, unless it is a directory
// that is not empty. Not thread-safe; nobody else may write to the directory meanwhile.
class RootedTree {
 public:
  // `owner`: uid and gid of everything made; absent: ours. A link at `root` is not followed: an error (io).
  static Result<RootedTree> open(const std::filesystem::path& root, std::optional<uid_t> owner);

  // Mode and mtime are set by finish(), so that a read-only directory can still be filled.
  Result<void> make_directory(const std::string& path, mode_t mode, std::optional<timespec> mtime);
  // A new, empty file, mode 0600, for writing.
  Result<Fd> create_file(const std::string& path);
  Result<void> make_symlink(const std::string& path, const std::string& target, std::optional<timespec> mtime);
  // `target` is a path in this tree, of something that is no directory.
  Result<void> make_hard_link(const std::string& path, const std::string& target);

  // If the root holds nothing but one directory: moves that directory's content up, and removes it.
  Result<void> strip_sole_folder();
  // Gives the directories of make_directory() their modes and times, the deepest first; cancelled by the token.
  Result<void> finish(const std::stop_token& stop);

  // Directories that were made because something lies in them. They have nothing that finish() would have to set.
  std::uint64_t made_on_the_way() const { return made_on_the_way_; }

 private:
  struct Directory {
    mode_t mode = 0;
    std::optional<timespec> mtime;
  };

  RootedTree(Fd root, std::optional<uid_t> owner) : root_(std::move(root)), owner_(owner) {}

  enum class Missing { make, refuse };
  Result<int> parent_of(std::string_view path, Missing missing);
  Result<Fd> walk(std::string_view directory, Missing missing);
  Result<Fd> enter(int parent, std::string_view path, const std::string& component, Missing missing);
  Result<void> make_room(int parent, const std::string& path);
  Result<void> make_on_the_way(int parent, std::string_view path, const char* name);
  Result<void> give_away(int parent, const char* name);
  Result<void> apply(const std::string& path, const Directory& wanted);

  Fd root_;
  std::optional<uid_t> owner_;
  std::map<std::string, Directory, std::less<>> directories_;
  std::uint64_t made_on_the_way_ = 0;
  // The directory of the last entry: archives go through one directory after the other.
  std::string last_parent_;
  Fd last_parent_fd_;
};

}  // namespace hearth::util
