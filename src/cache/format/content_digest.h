// The digest by which content is known and verified, made so that it can be computed in parallel.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "util/hash.h"

namespace hearth::cache {

// Content of at most this many bytes has its SHA-256. Longer content has the SHA-256 of: "HearthT" and a byte 1, its
// length as 32 bits (little-endian), and the SHA-256 of each of its pieces, all of this many bytes but the last. Two
// contents of one length have one digest only if they are the same. Short content can be made that has the digest of
// longer content, so whoever looks content up by its digest compares the lengths too. Content has less than 4 GiB.
inline constexpr std::size_t kDigestPiece = std::size_t{16} << 10;

util::Digest content_digest(std::span<const std::byte> content);

// In their order. Faster than one after the other.
std::vector<util::Digest> content_digests(std::span<const std::span<const std::byte>> contents);

}  // namespace hearth::cache
