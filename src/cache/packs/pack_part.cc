#include "cache/packs/pack_part.h"

namespace hearth::cache {

bool is_damage(ErrorKind kind) {
  return kind == ErrorKind::not_found || kind == ErrorKind::corrupt;
}

Result<store::Object> fetch_part(store::ObjectStore& store, const store::Key& key, std::uint64_t pack_bytes,
                                 store::ByteRange range, const std::stop_token& stop) {
  Result<store::Object> object = store.get(key, range, stop);
  if (object || object.error().kind != ErrorKind::invalid) return object;
  const store::ObjectInfo info = TRY(store.stat(key, stop));
  if (info.size >= pack_bytes) return object;
  return fail(ErrorKind::corrupt, "the pack has {} bytes instead of {}", info.size, pack_bytes);
}

}  // namespace hearth::cache
