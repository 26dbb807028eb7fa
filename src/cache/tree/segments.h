// Large files are read in segments, and cut into chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cache/format/chunker.h"
#include "cache/tree/file_reader.h"

namespace hearth::cache {

// What is read of a large file at a time, but for its end.
inline constexpr std::uint64_t kSegmentBytes = 2 << 20;
// The room that a segment needs: what is left of the one before it is put in front of it.
inline constexpr std::size_t kSegmentRoom = kMostChunk + kSegmentBytes;

// Where a chunk begins depends on where the one before it ended, so the segments of a file come one after the other;
// they may be read in any order. One cutter for each file; holds less than kMostChunk bytes between two calls.
class SegmentCutter {
 public:
  // `read` is the file's next segment, and good; its bytes lie in `room` (kSegmentRoom bytes) from kMostChunk on.
  // Returns it, there, with what was left of the one before, and each of its stretches of data is a chunk. What may
  // belong to a chunk that ends in the next one is left; nothing of the last one is.
  FilePart cut(FilePart read, std::span<std::byte> room, bool is_last);

 private:
  std::vector<std::byte> begun_;  // read, but its chunk has not ended yet
};

}  // namespace hearth::cache
