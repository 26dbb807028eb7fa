// From an application's directory to a slug: a deterministic gzip-compressed tar that `tar -xzf` reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "slug/parallel_gzip.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::slug {

struct Options {
  int compression_level = kDefaultGzipLevel;
  unsigned threads = 0;     // 0: one per core
  std::uint32_t owner = 0;  // uid and gid of every entry
};

struct Slug {
  std::uint64_t bytes = 0;  // of the compressed file
  std::uint64_t files = 0;  // entries in the tar
  util::Digest sha256;      // of the compressed file
};

// Writes the tar of `app_dir` ("./…" names without "./" itself, sorted bytewise, no user names, mtimes of whole seconds
// as they are on disk, no setuid or setgid bit, hard links kept, holes filled, sockets, fifos and devices left out,
// .git at the top left out) to `file`, of any size: comparing it with a limit is the caller's. The same tree gives the
// same bytes, whatever the number of threads. Follows no link, changes nothing in app_dir. A tree that changes
// meanwhile is an error that names the path. On failure there is no file.
Result<Slug> write(const std::filesystem::path& app_dir, const std::filesystem::path& file, const Options& options,
                   std::stop_token stop);

// Removes what the ignore file at `app_dir/<name>` matches: Heroku's .slugignore rules (like .gitignore without '!';
// blank, '#' and '!' lines skipped; a slash at the beginning or in the middle anchors; a trailing '/' means
// directories). No such file: nothing happens. An ignore file that is no regular file of at most 1 MiB is invalid.
// Follows no link. Returns the number of entries removed, with those below removed directories.
Result<std::uint64_t> apply_ignore_file(const std::filesystem::path& app_dir, const std::string& name);

// The `count` directories (at most two levels deep) that hold the most bytes, largest first, for the size warning; .git
// at the top does not count. Whatever cannot be read is missing in the sums.
std::vector<std::pair<std::string, std::uint64_t>> largest_directories(const std::filesystem::path& app_dir,
                                                                       std::size_t count);

}  // namespace hearth::slug
