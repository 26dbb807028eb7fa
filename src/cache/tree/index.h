// What this machine remembers of a directory between a restore and the next save, so that the save reads only what may
// have changed. Lies where no buildpack can write. Never more than a hint: without it a save reads everything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cache/format/layout.h"
#include "cache/tree/tree.h"
#include "util/error.h"

namespace hearth::cache {

// Tells a directory from another one that comes to lie at the same path, even with the same inode number.
struct DirectoryMark {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t born = 0;  // nanoseconds since 1970; 0 where the file system does not know

  bool operator==(const DirectoryMark&) const = default;
};
// Absent if there is no such directory.
std::optional<DirectoryMark> mark_of(const std::filesystem::path& directory);

struct Index {
  std::string store;                // ObjectStore::description()
  std::string head;                 // the key of the cache's HEAD
  std::string epoch;                // of HEAD; empty if there was none
  std::string generation;           // what the directory was equal to; empty if nothing was restored
  std::int64_t probe = 0;           // an entry is proved unchanged only if its ctime is before this
  DirectoryMark directory;          // by which the directory is known as ours
  std::vector<ObjectName> damaged;  // objects that were missing or not what they should be
  std::vector<FileStatus> files;    // of each of the generation's entries, in their order; of others than files: {}
  std::vector<std::byte> manifest;  // encode_manifest's of the generation; empty if nothing was restored
};

// Replaces the file in one step, or leaves nothing new behind; not durable, since an index does not outlive a restart
// of the machine anyway.
Result<void> write_index(const std::filesystem::path& path, const Index& index);

// Absent where there is no index, or where it is damaged or of another version. One that was written before the machine
// was started proves nothing any more: its probe is kNothingProved.
std::optional<Index> read_index(const std::filesystem::path& path);

// Of which directory the index tells, looked up without reading all of it: a hint, since nothing of it is verified.
std::optional<DirectoryMark> peek_directory(const std::filesystem::path& path);

// A file that is changed from now on gets a ctime that is not before this one; one that was changed before this call
// usually has an earlier one. Found by writing a file `probe`, which is removed again. kNothingProved where the file
// system's ctime cannot be trusted, does not move, or `probe` cannot be written.
inline constexpr std::int64_t kNothingProved = INT64_MIN;
std::int64_t take_probe(const std::filesystem::path& probe, std::uint64_t device);

}  // namespace hearth::cache
