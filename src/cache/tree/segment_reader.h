// Reads a large file from its begin to its end, cut into chunks.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/format/path.h"
#include "cache/tree/file_reader.h"
#include "cache/tree/tree.h"
#include "util/error.h"

namespace hearth::cache {

// For one thread at a time. Holds about kMostChunk bytes between two calls.
class SegmentReader {
 public:
  // `files` and the text of `path` outlive the reader.
  SegmentReader(FileReader& files, const Path& path, const FileStatus& expected)
      : files_(files), path_(path), expected_(expected) {}

  // Some MiB, whose stretches of data are chunks; nothing is read twice. After an outcome other than good, and after an
  // error, the reader is done.
  Result<FilePart> next();
  bool done() const { return offset_ == expected_.size; }

 private:
  FilePart cut(FilePart read);

  FileReader& files_;
  const Path path_;
  const FileStatus expected_;
  std::uint64_t offset_ = 0;      // of what is to be read next
  std::vector<std::byte> begun_;  // read, but its chunk has not ended yet
};

}  // namespace hearth::cache
