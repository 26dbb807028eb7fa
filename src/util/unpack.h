// Reads a tar that somebody else made into a directory, and never outside of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "util/error.h"
#include "util/file.h"

namespace hearth::util {

struct UnpackLimits {
  std::uint64_t entries = 2'000'000;              // with the directories that are made on the way to them
  std::uint64_t bytes = std::uint64_t{50} << 30;  // unpacked
  // Of the paths of directories, which are kept until the end. 2,000,000 of 128 bytes.
  std::uint64_t directory_paths = std::uint64_t{256} << 20;
};

enum class Mtimes { as_stored, now };
enum class TopFolder { keep, strip_if_sole };  // as hosting sites pack: "name-1.2.3/…"

struct UnpackOptions {
  UnpackLimits limits;
  Mtimes mtimes = Mtimes::as_stored;
  TopFolder top_folder = TopFolder::keep;
  std::optional<uid_t> owner;  // uid and gid of everything written; absent: ours
  // True: the entry, and what is below it, is skipped. Paths are as in the archive (with the top folder), without "./".
  std::function<bool(std::string_view path)> leave_out;
};

struct Unpacked {
  std::uint64_t entries = 0;  // written
  std::uint64_t bytes = 0;    // of the files' contents, holes included
  // What the archive says of the directory itself ("./"), which is not applied to it.
  struct Top {
    mode_t mode = 0;  // without setuid and setgid
    std::optional<timespec> mtime;
  };
  std::optional<Top> top;
};

// Unpacks a tar (plain, gzip, zstd, xz, bzip2: recognised by content) from `source` into the existing empty directory.
// Refused as invalid, with the entry's name: absolute paths, "..", writing through a link, hard links to the outside,
// device nodes, more than the limits, and what is no tar. Links that merely point elsewhere are kept; setuid and setgid
// bits are not; fifos are skipped. Of two entries with one path the later wins. The directory's own mode and time stay.
// A truncated or damaged archive is corrupt. On failure the directory may hold a part.
Result<Unpacked> unpack(const Fd& source, const std::filesystem::path& directory, const UnpackOptions& options,
                        std::stop_token stop);

}  // namespace hearth::util
