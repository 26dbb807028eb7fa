// Descriptors of the directories of one tree, so that a path below its root is resolved without ever following a
// symbolic link: neither a hostile manifest nor a process that swaps a directory for a link leads outside.
#pragma once

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/format/path.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::cache {

// An LRU of open directories. For one thread; several may share a root by one object each.
class Directories {
 public:
  using Handle = std::shared_ptr<const util::Fd>;

  // `root` is opened once; it may be renamed afterwards.
  static Result<Directories> open(const std::filesystem::path& root);
  explicit Directories(Handle root);
  // A copy would point into what it was copied from.
  Directories(const Directories&) = delete;
  Directories& operator=(const Directories&) = delete;
  Directories(Directories&&) = default;
  Directories& operator=(Directories&&) = default;
  ~Directories() = default;

  // The directory at `path` relative to the root ("" is the root). Each component has to be a directory, not a link,
  // and none is "." or ".." (invalid). No descriptor left: unavailable. It stays open at least as long as the handle
  // lives.
  Result<Handle> at(std::string_view path);
  // Where an entry lies: the directory, and its name in there, which is none that leads elsewhere (else invalid).
  struct Place {
    Handle directory;
    std::string name;
  };
  Result<Place> place_of(const Path& path);

  const Handle& root() const { return root_; }

 private:
  struct Open {
    std::string path;
    Handle handle;
  };

  Handle root_;
  std::list<Open> recent_;                                                   // the front is the latest
  std::unordered_map<std::string_view, std::list<Open>::iterator> by_path_;  // keys are the paths of recent_
};

}  // namespace hearth::cache
