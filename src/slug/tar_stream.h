// A directory tree as the bytes of a tar.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "slug/tree_walk.h"
#include "util/error.h"
#include "util/file.h"
#include "util/gnu_tar.h"

namespace hearth::slug {

// Deterministic: the bytes depend on names, types, contents, modes, whole seconds of mtimes and hard links only.
class TarStream {
 public:
  static Result<TarStream> open(const std::filesystem::path& root, std::uint32_t owner);

  // The next bytes; fewer than asked for only at the end. A tree that changes meanwhile is an error.
  Result<std::size_t> read(std::span<std::byte> into);
  // Members so far.
  std::uint64_t members() const { return members_; }

 private:
  explicit TarStream(TreeWalk walk, std::uint32_t owner) : walk_(std::move(walk)), owner_(owner) {}

  Result<std::size_t> read_some(std::span<std::byte> into);
  Result<void> next_member();
  Result<util::Member> describe(const WalkEntry& entry);
  Result<void> open_content(const WalkEntry& entry);
  Result<std::size_t> read_content(std::span<std::byte> into);
  Result<void> close_content();

  TreeWalk walk_;
  std::uint32_t owner_;
  std::uint64_t members_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // the first name of files that have several
  std::string pending_;                                    // headers and padding still to be read
  std::size_t pending_done_ = 0;
  util::Fd content_;
  std::string content_path_;
  struct stat content_status_{};
  std::uint64_t content_left_ = 0;
  bool ended_ = false;
};

}  // namespace hearth::slug
