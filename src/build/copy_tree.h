// Copies a directory that stays as it is: the app's source into BUILD_DIR.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::build {

struct CopyOptions {
  std::optional<uid_t> owner;                                  // uid and gid of everything written; absent: ours
  std::function<bool(const std::string& relative)> leave_out;  // true: the entry, and what is below it, is skipped
};

struct Copied {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> skipped;  // sockets, fifos and devices: at most the first 10
};

// Into the existing empty directory `to`. Links are copied as links; mtimes are now; setuid and setgid bits are not
// kept; `to` itself, should it lie below `from`, is left out. What cannot be read is denied, and named.
Result<Copied> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to, const CopyOptions& options,
                         std::stop_token stop);

}  // namespace hearth::build
