#include "cache/tree/segments.h"

#include <algorithm>

namespace hearth::cache {

FilePart SegmentCutter::cut(FilePart read, std::span<std::byte> room, bool is_last) {
  const std::size_t begun = begun_.size();
  const std::span<std::byte> bytes = room.subspan(kMostChunk - begun, begun + read.bytes.size());
  std::ranges::copy(begun_, bytes.begin());
  begun_.clear();
  if (begun > 0 && read.stretches.front().kind == Stretch::Kind::data) {
    read.stretches.front().length += begun;
  } else if (begun > 0) {
    read.stretches.insert(read.stretches.begin(), {Stretch::Kind::data, begun});
  }
  FilePart result;
  std::span<const std::byte> rest(bytes);
  for (const Stretch& stretch : read.stretches) {
    if (stretch.kind == Stretch::Kind::hole) {
      result.stretches.push_back(stretch);
      continue;
    }
    const bool is_open = &stretch == &read.stretches.back() && !is_last;
    std::span<const std::byte> data = rest.first(stretch.length);
    rest = rest.subspan(stretch.length);
    while (!data.empty()) {
      const std::size_t chunk = chunk_length(data);
      // It may end here only because the segment does.
      if (is_open && chunk == data.size() && chunk < kMostChunk) break;
      result.stretches.push_back({Stretch::Kind::data, chunk});
      data = data.subspan(chunk);
    }
    if (is_open) begun_.assign(data.begin(), data.end());
  }
  result.bytes = bytes.first(bytes.size() - begun_.size());
  return result;
}

}  // namespace hearth::cache
