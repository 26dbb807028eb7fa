// Reads a part of a pack, and tells a pack that is not what it should be from a store that has trouble.
#pragma once

#include <cstdint>
#include <stop_token>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// Whether an error of fetch_part(), or of a get from the begin of a pack, means that the pack is missing or not what it
// should be. Any other one is the store's, and says nothing of the pack.
bool is_damage(ErrorKind kind);

// The bytes of the range in the pack at `key`, which HEAD says to have `pack_bytes`; fewer where it is shorter. Absent:
// not_found. It ends before the range begins: corrupt, but only where the store itself says that it is shorter than
// that; much else is refused as such a range is. Other errors are the store's.
Result<store::Object> fetch_part(store::ObjectStore& store, const store::Key& key, std::uint64_t pack_bytes,
                                 store::ByteRange range, const std::stop_token& stop);

}  // namespace hearth::cache
