// Where to cut large content, so that the same bytes make the same chunks wherever they have moved to: FastCDC (Xia et
// al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC 2016) with
// a gear hash and normalised chunking.
#pragma once

#include <cstddef>
#include <span>

namespace hearth::cache {

// Content of at most this many bytes is one chunk.
inline constexpr std::size_t kWholeFile = std::size_t{512} << 10;

// Bytes of a chunk of larger content. Changing any of these makes known content unknown to later saves.
inline constexpr std::size_t kLeastChunk = std::size_t{64} << 10;
inline constexpr std::size_t kUsualChunk = std::size_t{256} << 10;
inline constexpr std::size_t kMostChunk = std::size_t{1} << 20;

// Length of the chunk that `content` begins with: it ends where the last bytes before say so, after kLeastChunk at the
// earliest and kMostChunk at the latest, or with the content. What follows after kMostChunk bytes makes no difference.
std::size_t chunk_length(std::span<const std::byte> content);

}  // namespace hearth::cache
