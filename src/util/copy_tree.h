// Copies a directory tree without leaving it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"
#include "util/file.h"
#include "util/unpack.h"

namespace hearth::util {

struct CopyOptions {
  std::optional<uid_t> owner;  // uid and gid of everything made; absent: ours
  Mtimes mtimes = Mtimes::as_stored;
  std::function<bool(std::string_view relative)> leave_out;  // true: the entry, and what is below it, is skipped
};

struct Copied {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> skipped;  // sockets, fifos and devices: at most the first 10
};

// Copies what is in the directory `from` (opened for reading) into `to`, which is made (0755) or an empty directory,
// whose own mode and owner stay. Links are copied as links and never followed, hard links become files of their own,
// setuid and setgid bits are not kept; `to` itself, should it lie below `from`, is left out. What cannot be read is
// denied, and named. On failure `to` may hold a part.
Result<Copied> copy_tree(const Fd& from, const std::filesystem::path& to, const CopyOptions& options,
                         std::stop_token stop);
// The same of the directory at this path. A link there is no directory, wherever it leads: whoever may have put it
// there, it is not followed. A link that may be followed is opened by the caller.
Result<Copied> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to, const CopyOptions& options,
                         std::stop_token stop);

}  // namespace hearth::util
