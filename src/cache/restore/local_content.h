// Content of a directory of this machine, by its path or by its digest: what a damaged cache is mended from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/format/layout.h"
#include "cache/format/path.h"
#include "cache/tree/directories.h"
#include "cache/tree/tree.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

class LocalContent {
 public:
  // Lists the directory. Errors: those of the directory itself, and cancelled.
  static Result<LocalContent> open(const std::filesystem::path& directory, const std::stop_token& stop);

  // `bytes.size()` bytes from `offset` of the file at `path`, which is `size` large. False where there is no such file,
  // it cannot be read, or it is not that large.
  bool read(const Path& path, std::uint64_t size, std::uint64_t offset, std::span<std::byte> bytes);

  // The same of a file that is as it was when the directory was listed: for content that unchanged_since() proves.
  bool read_as_listed(const Path& path, std::uint64_t offset, std::span<std::byte> bytes);

  // Looks for content with these digests in all files, cut as a save cuts them. Unreadable files are passed over.
  // Errors: cancelled.
  Result<void> look_for(const std::set<util::Digest>& digests, const std::stop_token& stop);
  // Content that was looked for, and is found; what was read has this digest.
  bool read(const util::Digest& digest, std::span<std::byte> bytes);

  // The paths whose content is proved to be that of this generation by the index beside the directory: what a save or a
  // restore has left there, unchanged since. Sorted; empty without such an index.
  std::vector<std::string> unchanged_since(const std::string& generation, const std::string& epoch,
                                           const std::string& head_key, const std::string& store) const;

 private:
  struct Place {
    std::size_t entry = 0;  // of the listing
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };

  LocalContent(std::filesystem::path directory, Directories directories, Listing listing)
      : directory_(std::move(directory)), directories_(std::move(directories)), listing_(std::move(listing)) {}
  Result<void> look_into(std::size_t entry, const std::set<util::Digest>& digests, const std::stop_token& stop);

  std::filesystem::path directory_;
  Directories directories_;
  Listing listing_;
  std::unordered_map<util::Digest, Place> places_;
};

}  // namespace hearth::cache
