// Where the bytes of a cached directory are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/manifest.h"
#include "util/error.h"

namespace hearth::cache {

struct Usage {
  std::string path;  // relative to the cached directory; "" is that itself
  EntryKind kind = EntryKind::directory;
  // Of the files' contents, holes included. What has several names counts once, at the first of them.
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;  // below it, and the entry itself (the cached directory itself is none)
  std::vector<Usage> below;   // of a directory: what lies in it, largest first, then by name

  bool operator==(const Usage&) const = default;
};

// The entry at `path` and what is below it, down to `depth` levels: 0 is that entry alone. The sums are complete
// whatever the depth. not_found: there is no such entry.
Result<Usage> usage(const Manifest& manifest, std::string_view path, unsigned depth);

}  // namespace hearth::cache
