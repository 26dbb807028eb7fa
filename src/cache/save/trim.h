// Which part of a directory stays out of its cache, so that the cache is no larger than it may be.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/format/manifest.h"
#include "cache/tree/directories.h"
#include "cache/tree/tree.h"

namespace hearth::cache {

// Bytes of the contents of the files; a file with several names counts once.
std::uint64_t content_bytes(const Listing& found);

struct TrimRequest {
  const Listing& found;
  Directories::Handle root;        // of what was found
  std::int64_t since;              // files that were read after this were used by this build; kNothingProved: unknown
  std::span<const Manifest> kept;  // the generations that are kept, newest first
  std::uint64_t most;              // bytes that may stay
};

struct Trim {
  std::vector<bool> goes;   // by entry
  std::uint64_t files = 0;  // that go
  std::uint64_t bytes = 0;  // by which content_bytes() is less
};

// A file that was read since the restore, as its access time tells where the file system keeps one, was used by this
// build. Any other was unused for as many builds as there are kept generations from the oldest on that has it with the
// same size and time. What was unused for longest goes first; of that, what was changed longest ago. Directories all of
// whose files were unused for so long go as a whole, so that no half of a package stays; one that has more than a
// quarter of `most` is looked at child by child. Ends when the rest fits.
Trim choose_trim(const TrimRequest& request);

}  // namespace hearth::cache
