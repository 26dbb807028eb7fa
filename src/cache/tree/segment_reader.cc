#include "cache/tree/segment_reader.h"

#include <algorithm>
#include <span>
#include <utility>

#include "cache/format/chunker.h"

namespace hearth::cache {

namespace {
constexpr std::uint64_t kSegmentBytes = 2 << 20;
}

Result<FilePart> SegmentReader::next() {
  const std::uint64_t length = std::min(expected_.size - offset_, kSegmentBytes);
  Result<FilePart> read = files_.read(path_, expected_, offset_, length);
  const bool good = read && read->outcome == ReadOutcome::good;
  offset_ = good ? offset_ + length : expected_.size;
  if (!good) return read;
  return cut(std::move(*read));
}

FilePart SegmentReader::cut(FilePart read) {
  FilePart result;
  const std::size_t begun = begun_.size();
  result.bytes = std::exchange(begun_, {});
  result.bytes.insert(result.bytes.end(), read.bytes.begin(), read.bytes.end());
  if (begun > 0 && read.stretches.front().kind == Stretch::Kind::data) {
    read.stretches.front().length += begun;
  } else if (begun > 0) {
    read.stretches.insert(read.stretches.begin(), {Stretch::Kind::data, begun});
  }
  std::span<const std::byte> rest(result.bytes);
  for (const Stretch& stretch : read.stretches) {
    if (stretch.kind == Stretch::Kind::hole) {
      result.stretches.push_back(stretch);
      continue;
    }
    // What is read next may belong to the last chunk.
    const bool is_open = &stretch == &read.stretches.back() && !done();
    std::span<const std::byte> data = rest.first(stretch.length);
    rest = rest.subspan(stretch.length);
    while (!data.empty() && (!is_open || data.size() >= kMostChunk)) {
      const std::size_t chunk = chunk_length(data);
      result.stretches.push_back({Stretch::Kind::data, chunk});
      data = data.subspan(chunk);
    }
    if (is_open) begun_.assign(data.begin(), data.end());
  }
  result.bytes.resize(result.bytes.size() - begun_.size());
  return result;
}

}  // namespace hearth::cache
