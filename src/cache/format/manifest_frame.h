// The outside of a manifest object: what lies around its compressed body.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "cache/format/bytes.h"
#include "cache/format/manifest.h"
#include "cache/format/manifest_body.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

struct Frame {
  std::optional<util::Digest> base;  // of a delta
  std::size_t body_bytes = 0;        // unpacked; kManifestLimit at most
  std::span<const std::byte> body;
  std::span<const std::byte> inline_bytes;
};

// invalid: a body of more than kManifestLimit.
Result<std::vector<std::byte>> seal(std::span<const std::byte> body, const std::optional<util::Digest>& base,
                                    std::span<const std::byte> inline_bytes, Packing packing);

// The frame of an intact manifest object, as views into it. corrupt, or of a newer format: invalid.
Result<Frame> unseal(std::span<const std::byte> object);

// The manifest if the reader has come to its end without failing, and the manifest passes check().
Result<Manifest> checked(Manifest manifest, const ByteReader& reader);

// Appends `count` entries, and fails the reader rather than take more than a manifest may have.
void read_entries(ByteReader& reader, EntryReader& entry, std::uint64_t count, Manifest& manifest);

}  // namespace hearth::cache
