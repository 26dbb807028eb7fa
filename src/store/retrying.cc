#include "store/retrying.h"

#include "store/own_write.h"

namespace hearth::store {
Result<Object> Retrying::get(const Key& key, ByteRange range, std::stop_token stop) {
  return repeated(stop, [&] { return inner().get(key, range, stop); });
}

Result<Version> Retrying::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  bool unclear = false;
  return repeated(stop, [&]() -> Result<Version> {
    auto version = inner().put(key, body, condition, stop);
    if (version || !unclear) {
      unclear = !version && version.error().kind == ErrorKind::unavailable;
      return version;
    }
    if (version.error().kind != ErrorKind::conflict) return version;
    auto own = version_if_equal(inner(), key, body, stop);
    // Removed since: the put did not survive, whosever it was.
    if (!own && own.error().kind == ErrorKind::not_found) return version;
    return own;
  });
}

Result<ObjectInfo> Retrying::stat(const Key& key, std::stop_token stop) {
  return repeated(stop, [&] { return inner().stat(key, stop); });
}

Result<void> Retrying::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  std::optional<Key> last;
  std::optional<Error> from_visitor;
  auto listed = repeated(stop, [&]() -> Result<void> {
    auto once = inner().list(
        prefix,
        [&](const ObjectInfo& info) -> Result<void> {
          if (last && info.key <= *last) return {};
          auto visited = visit(info);
          if (!visited) {
            from_visitor = visited.error();
            // Whatever its kind, the visitor's failure is not the store's, and no reason to ask again.
            return fail(ErrorKind::cancelled, "the visitor ended the listing");
          }
          last = info.key;
          return {};
        },
        stop);
    return once;
  });
  if (from_visitor) return std::unexpected(*std::move(from_visitor));
  return listed;
}

Result<void> Retrying::remove(const Key& key, std::stop_token stop) {
  return repeated(stop, [&] { return inner().remove(key, stop); });
}

Result<void> Retrying::remove_each(std::span<const Key> keys, std::stop_token stop) {
  return repeated(stop, [&] { return inner().remove_each(keys, stop); });
}

Result<Checksums> Retrying::try_checksums(const Key& key, std::stop_token stop) {
  return repeated(stop, [&] { return inner().try_checksums(key, stop); });
}

}  // namespace hearth::store
