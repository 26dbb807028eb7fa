// The names of what lies beside a cache directory, in its parent: hidden, and told from the directory's own name.
#pragma once

#include <filesystem>

#include "util/error.h"
#include "util/file.h"

namespace hearth::cache {

// The directory without a '/' at its end.
std::filesystem::path tidy(const std::filesystem::path& directory);

std::filesystem::path probe_path(const std::filesystem::path& directory);

// A directory to fill, on the same file system, which is removed with its content unless it is released. Those that a
// killed process left behind for this directory are removed first.
class Staging {
 public:
  static Result<Staging> create(const std::filesystem::path& directory);
  // `directory` itself, with all that is in it, which is not at its place any more then.
  static Result<Staging> adopt(const std::filesystem::path& directory);

  const std::filesystem::path& path() const { return temporary_.path(); }
  // Renames it to `directory`, which is absent or empty.
  Result<void> publish(const std::filesystem::path& directory);

 private:
  Staging(util::TempDir temporary, util::Fd lock) : temporary_(std::move(temporary)), lock_(std::move(lock)) {}
  util::TempDir temporary_;
  util::Fd lock_;  // a flock, by which others see that somebody is at work here
};

}  // namespace hearth::cache
