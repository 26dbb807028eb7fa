#include <optional>

#include "cache/cache.h"
#include "cache/generations/commit.h"

namespace hearth::cache {

Result<void> set_aside(store::ObjectStore& store, const Name& name, const std::string& generation,
                       std::stop_token stop) {
  const Layout layout = TRY(Layout::of(name));
  const auto transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    if (find_generation(seen.head, generation) == nullptr) return std::nullopt;
    Head head = TRY(quarantined(seen, generation));
    return head;
  };
  const Result<HeadRead> done = update_head(store, layout, transition, std::move(stop));
  if (!done && done.error().kind != ErrorKind::not_found) return std::unexpected(done.error());
  return {};
}

}  // namespace hearth::cache
