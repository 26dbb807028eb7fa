// Copies a directory tree without leaving it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::util {

struct CopyOptions {
  std::optional<uid_t> owner;          // uid and gid of everything made; absent: ours
  std::vector<std::string> leave_out;  // entries of these names, at any depth
};

// Copies the directory `from` into the new directory `to`. Modes (without setuid and setgid bits) and mtimes are kept,
// links are copied as links and never followed, hard links become files of their own; fifos, sockets and devices are
// left out. Nothing of `to` belongs to the owner before it is filled. On failure `to` may hold a part.
Result<void> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to, const CopyOptions& options,
                       std::stop_token stop);

}  // namespace hearth::util
