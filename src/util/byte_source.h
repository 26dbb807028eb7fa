// A stream of bytes that is read once: a file descriptor, with its compression taken off.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>

#include "util/error.h"
#include "util/file.h"

namespace hearth::util {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes; none at the end. They stay valid until the next call.
  virtual Result<std::span<const std::byte>> next() = 0;
};

// What is left to read from `fd` (a file or a pipe; it must outlive the source), decompressed if it begins like gzip,
// zstd, xz or bzip2. Bytes that end early, or whose checksum does not match, are corrupt; waiting for a pipe ends with
// the token.
Result<std::unique_ptr<ByteSource>> open_decompressed(const Fd& fd, std::stop_token stop);

}  // namespace hearth::util
