// The entries of a directory tree in bytewise order of their names in a tar, following no link.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "util/error.h"
#include "util/file.h"

namespace hearth::slug {

struct WalkEntry {
  std::string path;  // relative to the tree's root
  std::string name;  // the path's last component
  struct stat status{};
  int parent = -1;  // descriptor of the directory that holds it; the walk's own, open until the next call
};

// A directory comes before its content. Needs one descriptor and the sorted names per level, not per entry.
class TreeWalk {
 public:
  // A link at `root` is not followed: io.
  static Result<TreeWalk> open(const std::filesystem::path& root);

  // Absent at the end.
  Result<std::optional<WalkEntry>> next();
  // The next call does not enter the directory that the last call returned.
  void skip_content() { enter_.reset(); }

 private:
  struct Level {
    util::Fd directory;
    std::string prefix;               // "" or "a/b/"
    std::vector<WalkEntry> reversed;  // what is still to come, the next one last
  };

  Result<void> descend(util::Fd directory, std::string prefix);

  std::vector<Level> levels_;
  std::optional<WalkEntry> enter_;
};

}  // namespace hearth::slug
