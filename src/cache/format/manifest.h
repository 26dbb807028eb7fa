// One state of the directory: what is in it, and where the content of each file lies.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/block.h"
#include "cache/format/path.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

enum class EntryKind : std::uint8_t { directory = 0, file = 1, symlink = 2, hard_link = 3 };

// Extent::block of a hole: `length` bytes that read as zeros and occupy nothing.
inline constexpr std::uint32_t kHole = UINT32_MAX;

// A piece of a file's content.
struct Extent {
  std::uint32_t block = 0;   // index into Manifest::blocks, or kHole
  std::uint32_t offset = 0;  // in the block's raw bytes; 0 for a hole
  std::uint64_t length = 0;  // at least 1

  bool operator==(const Extent&) const = default;
};

// Permission bits that are ever stored: rwx for all and the sticky bit; setuid and setgid are not.
inline constexpr std::uint16_t kModeMask = 01777;

// Longest path, and longest text of a symbolic link, in bytes.
inline constexpr std::size_t kPathLimit = 4095;

// One name in the directory. The views and the span are valid until their Entries is changed or destroyed; an Entry
// that is handed to add() may point anywhere.
struct Entry {
  Path path;  // relative to the directory, up to kPathLimit bytes; no empty, "." or ".." segment, no NUL
  EntryKind kind = EntryKind::file;
  std::uint16_t mode = 0;           // within kModeMask; of a hard link and of a symlink: 0
  std::int64_t mtime = 0;           // nanoseconds since 1970; of a hard link: 0
  std::uint64_t size = 0;           // of a file: its bytes, the sum of its extents; else 0
  std::string_view target;          // a symlink's text, or the path of the file that a hard link is another name of
  std::span<const Extent> extents;  // of a file, in the order of its content
};

bool operator==(const Entry& left, const Entry& right);

// The entries of a manifest in bytewise order of their paths, packed: 40 bytes each, 16 for each extent, the whole path
// of a directory, and the name of anything else.
class Entries {
 public:
  // Appends a copy. The caller adds in bytewise order of the paths; check() tells whether it did.
  void add(const Entry& entry);
  // Whether the directory of the entry is one of the entries before it, or the root.
  bool has_parent(std::size_t index) const;

  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  Entry operator[](std::size_t index) const;
  // The index of the entry with this path.
  std::optional<std::size_t> find(const Path& path) const;
  void reserve(std::size_t entries);
  // What the entries take in memory. More than could be kept is UINT64_MAX: some are missing then.
  std::uint64_t memory() const;
  // What so many entries take at least.
  static std::uint64_t least_memory(std::size_t entries) { return entries * sizeof(Row); }

  bool operator==(const Entries& other) const;

 private:
  struct Row {
    std::uint64_t size;
    std::int64_t mtime;
    std::uint32_t text;          // in text_: the path, or its name where `in_parent`; then the target
    std::uint32_t first_extent;  // they end where the next row's begin
    std::uint32_t parent;        // the row of its directory, or kNoRow
    std::uint16_t path_bytes;    // of the text
    std::uint16_t target_bytes;
    std::uint16_t mode;
    EntryKind kind;
    bool in_parent;
  };
  static constexpr std::uint32_t kNoRow = UINT32_MAX;
  std::uint32_t parent_of(const Path& path) const;
  Path path_of(std::size_t index) const;
  std::string text_;
  std::vector<Extent> extents_;
  std::vector<Row> rows_;
  bool overflow_ = false;  // something did not fit into the numbers of a row
};

// A pack as a manifest and HEAD name it; the epoch is HEAD's.
struct PackName {
  std::string save;
  std::uint32_t number = 0;
  std::uint64_t bytes = 0;  // the object's size

  auto operator<=>(const PackName&) const = default;
};

// A directory whose blocks take less than this rides inside its manifest, without any pack.
inline constexpr std::uint64_t kInlineTarget = 1 << 20;
// No manifest carries more stored bytes of blocks; decoders refuse it.
inline constexpr std::uint64_t kInlineLimit = 8 << 20;

// No manifest takes more in memory, or unpacked: four million files and more.
inline constexpr std::uint64_t kManifestLimit = std::uint64_t{512} << 20;
// No manifest object is larger: what does not shrink grows by less than a 64th when it is packed.
inline constexpr std::uint64_t kManifestObjectLimit = kManifestLimit + kManifestLimit / 64 + kInlineLimit;

struct Manifest {
  std::uint16_t root_mode = 0755;  // the directory's own
  std::int64_t root_mtime = 0;     // nanoseconds since 1970
  Entries entries;
  std::vector<Block> blocks;
  std::vector<PackName> packs;  // each is named by a block; no two alike
  // The stored bytes of the blocks whose pack is kInline. A manifest has these or packs, never both, and no other
  // object refers to them: it is no base of a delta, and the next save stores their content anew.
  std::vector<std::byte> inline_bytes;

  bool operator==(const Manifest&) const = default;
};

// What the manifest takes in memory beside its inline bytes; UINT64_MAX as of Entries::memory().
std::uint64_t memory_of(const Manifest& manifest);
// Whether it keeps to kManifestLimit, also with so many bytes more.
bool has_room(const Manifest& manifest, std::uint64_t more = 0);

// ok if the manifest keeps every rule of this file: its size, order, no two entries alike, every parent a directory
// that is there, hard links to files that come before them, extents inside of their blocks that add up to the size,
// blocks inside of their packs that do not overlap, each pack named once and used. Else corrupt, with the entry's or
// block's name. What comes out of decode_… below has been checked.
Result<void> check(const Manifest& manifest);

// small: for the store. fast: for a copy on this machine.
enum class Packing { small, fast };

// The bytes of a manifest object that stands for itself. Deterministic. The manifest passes check(). invalid: it would
// take more than kManifestLimit unpacked.
Result<std::vector<std::byte>> encode_manifest(const Manifest& manifest, Packing packing = Packing::small);

// The bytes of a manifest object that tells how `next` differs from `base`, whose object has the SHA-256 `base_digest`.
// Neither has inline bytes. Decoding gives `next` exactly, down to the numbers of blocks and packs. invalid: as above.
Result<std::vector<std::byte>> encode_delta(const Manifest& next, const Manifest& base,
                                            const util::Digest& base_digest);

// Hostile bytes are refused as corrupt, a newer format as invalid. No number is trusted: what is unpacked and what is
// made of it take kManifestLimit each, and while vectors grow five times as much together.
// decode_manifest refuses a delta, decode_delta a full manifest and a delta on another base.
Result<Manifest> decode_manifest(std::span<const std::byte> object);
Result<Manifest> decode_delta(std::span<const std::byte> object, const Manifest& base, const util::Digest& base_digest);

}  // namespace hearth::cache
