// zstd (RFC 8878), one frame at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "util/error.h"

namespace hearth::cache {

// zstd's levels; the default is the one that is worth its time (docs/performance.md).
inline constexpr int kDefaultCompressionLevel = 3;

// One frame with the size of its content in it. Thread-safe; each thread keeps a context.
Result<std::vector<std::byte>> compress(std::span<const std::byte> raw, int level);

// The same, without a copy: the frame lies in `room`, which grows as it must and may be used for one after another;
// memory that was touched before is much cheaper than fresh memory.
Result<std::span<const std::byte>> compress(std::span<const std::byte> raw, int level, std::vector<std::byte>& room);

// The content of exactly one frame, which fills `raw`; anything but exactly so much of it is corrupt. Thread-safe.
Result<void> decompress_into(std::span<std::byte> raw, std::span<const std::byte> frame);

// As above. Allocates raw_bytes, so the caller has bounded them.
Result<std::vector<std::byte>> decompress(std::span<const std::byte> frame, std::size_t raw_bytes);

}  // namespace hearth::cache
