// Deletes what nobody needs any more; transition.h has the rules.
#pragma once

#include <cstdint>
#include <stop_token>

#include "cache/layout.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

struct SweepReport {
  std::uint64_t objects = 0;  // listed
  std::uint64_t trashed = 0;  // moved to the trash now
  std::uint64_t deleted = 0;  // had been there for long enough
  std::uint64_t bad = 0;      // named, but missing or of a wrong size; newly found
};

// Lists the cache's objects, then moves those that nobody names and that are older than 24 hours to the trash, marks
// missing and wrong ones as bad, and deletes the expired trash. To be called where sweep_due() says so, after a save.
// No HEAD: nothing happens.
Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, std::stop_token stop);

struct PurgeReport {
  std::uint64_t deleted = 0;
};

// Makes the cache empty at once: HEAD with a new epoch, then deletion of everything that was there. Savers that are at
// work commit nothing any more. A later purge deletes what an interrupted one has left. A newer format: invalid.
Result<PurgeReport> purge(store::ObjectStore& store, const Layout& layout, std::stop_token stop);
// All caches of the app, of whatever stack and architecture.
Result<PurgeReport> purge_app(store::ObjectStore& store, std::string_view app, const std::stop_token& stop);

}  // namespace hearth::cache
