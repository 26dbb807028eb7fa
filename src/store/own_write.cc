#include "store/own_write.h"

#include <algorithm>

#include "store/body.h"

namespace hearth::store {

Result<Version> version_if_equal(ObjectStore& store, const Key& key, const Body& body, const std::stop_token& stop) {
  const ObjectInfo there = TRY(store.stat(key, stop));
  const auto different = [&] { return fail(ErrorKind::conflict, "{} was changed by another writer", key.text()); };
  const std::uint64_t size = TRY(body_size(body));
  if (there.size != size) return different();
  std::uint64_t offset = 0;
  const auto compare = [&](std::span<const std::byte> piece) -> Result<void> {
    const Object part = TRY(store.get(key, {offset, piece.size()}, stop));
    if (part.info.version != there.version || !std::ranges::equal(part.bytes, piece)) return different();
    offset += piece.size();
    return {};
  };
  TRY(for_each_piece(body, compare, stop));
  return there.version;
}

}  // namespace hearth::store
