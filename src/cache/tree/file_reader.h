// Reads parts of files of a tree for a save, and notices when a file is not what it was when it was found.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cache/tree/directories.h"
#include "cache/tree/tree.h"
#include "util/error.h"

namespace hearth::cache {

// A stretch of a file: bytes, or a hole.
struct Stretch {
  enum class Kind { data, hole };
  Kind kind = Kind::data;
  std::uint64_t length = 0;
};

enum class ReadOutcome {
  good,      // the file was as expected before and after
  changed,   // it was not; what was read is of no use
  vanished,  // there is no such file any more
};

struct FilePart {
  ReadOutcome outcome = ReadOutcome::good;
  std::vector<Stretch> stretches;    // add up to the part
  std::span<const std::byte> bytes;  // of the data stretches, one after the other, in the room that was given
};

// For one thread.
class FileReader {
 public:
  explicit FileReader(Directories::Handle root) : directories_(std::move(root)) {}

  // As many bytes as `room` has from `offset` of the file at `path`, which has this status and is that long. No link is
  // followed, no device is opened. Errors: denied, io; no descriptor or memory left: unavailable.
  Result<FilePart> read(const Path& path, const FileStatus& expected, std::uint64_t offset, std::span<std::byte> room);

 private:
  util::Fd open(const Directories::Place& place);

  Directories directories_;
  int quietly_ = O_NOATIME;  // until it is refused: reading a file is no use of it
};

}  // namespace hearth::cache
