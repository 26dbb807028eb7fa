// A tar in a stream, entry by entry: plain, pax and GNU headers, by libarchive.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "util/byte_source.h"
#include "util/error.h"

namespace hearth::util {

enum class TarEntryType { file, directory, symlink, hard_link, fifo, device };

struct TarEntry {
  TarEntryType type = TarEntryType::file;
  std::string path;    // as it stands in the archive
  std::string target;  // of a symlink or hard link
  mode_t mode = 0;     // permissions, with set-id and sticky bits
  std::uint64_t size = 0;
  std::optional<timespec> mtime;
};

// A piece of a file's content; what lies between pieces is a hole.
struct TarBlock {
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};

class TarReader {
 public:
  // At most `stream_limit` decompressed bytes are read.
  static Result<TarReader> open(std::unique_ptr<ByteSource> source, std::uint64_t stream_limit);
  TarReader(TarReader&&) noexcept;
  TarReader& operator=(TarReader&&) noexcept;
  ~TarReader();

  // The next entry; absent at the archive's end, which is reached only when the end marker and the rest of the stream
  // (with its checksum) were read too. What is no tar at all is invalid; what goes wrong later is corrupt.
  Result<std::optional<TarEntry>> next();
  // The entry's next piece; absent at its end. Valid until the next call.
  Result<std::optional<TarBlock>> next_block();

 private:
  struct State;
  explicit TarReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::util
