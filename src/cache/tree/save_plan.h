// What a save has to do for each entry that it found: decided from the base generation and the local index alone,
// without reading any content.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cache/format/manifest.h"
#include "cache/tree/index.h"
#include "cache/tree/tree.h"

namespace hearth::cache {

inline constexpr std::uint32_t kNone = UINT32_MAX;

// Where an entry's content comes from.
enum class Source : std::uint8_t {
  none,  // it has none: directories, symbolic links, empty files
  link,  // the file that it is another name of
  base,  // the base has it, and the index proves that it is unchanged
  disk,  // it is to be read
};

struct Planned {
  Source source = Source::none;
  std::uint32_t base = kNone;    // the base's entry with this path
  std::uint32_t target = kNone;  // of Source::link: index of the found entry
};

// The generation that a save builds on.
struct Base {
  Manifest manifest;
  std::optional<Index> index;  // what is known of the directory; only if it belongs to this generation
};

struct SavePlan {
  std::vector<Planned> entries;  // as they were found
  bool differs = false;          // something is added, removed, or has other metadata; for certain
  bool reads = false;            // something is Source::disk
};

SavePlan plan_save(const Listing& found, const Base& base);

// The index's proof: nothing of the file has changed since it was recorded, at a time when later changes would show.
// `entry`: the base's with this path, or kNone.
bool proved_unchanged(const FoundEntry& found, const Base& base, std::uint32_t entry);

// The extents of a file of the base, or of the file that a hard link of the base is another name of.
std::span<const Extent> content_of(const Manifest& manifest, std::uint32_t entry);

// Whether everything but the content is as in the base. `target`: of a hard link.
EntryKind kind_of(const FoundEntry& found, const Planned& planned);
bool same_metadata(const FoundEntry& found, const Planned& planned, const Path& target, const Entry& base);

}  // namespace hearth::cache
