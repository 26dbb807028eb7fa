// Deletes what nobody needs any more; transition.h has the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/layout.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// yes: only tells what would be done, and changes nothing.
enum class Rehearse { no, yes };

struct SweepReport {
  Stored listed;          // all but HEAD
  Stored deleted;         // had been in the trash for long enough
  Stored trashed;         // moved to the trash now
  Stored waiting;         // in the trash, but not for long enough; what was moved now does not count
  Stored young;           // named by nobody, but maybe of a save that is at work
  Stored left;            // beyond what one sweep moves
  std::uint64_t bad = 0;  // named, but missing or of a wrong size; newly found
};

// Lists the cache's objects, then moves those that nobody names and that are older than 24 hours to the trash, marks
// missing and wrong ones as bad, and deletes the expired trash. To be called where sweep_due() says so, after a save.
// No HEAD: nothing happens.
Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, std::stop_token stop);
Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, Rehearse rehearse, std::stop_token stop);

struct PurgeReport {
  std::uint64_t deleted = 0;  // objects
  std::uint64_t bytes = 0;    // that they took
};

// Makes the cache empty at once: HEAD with a new epoch, then deletion of everything that was there. Savers that are at
// work commit nothing any more. A later purge deletes what an interrupted one has left. A newer format: invalid.
Result<PurgeReport> purge(store::ObjectStore& store, const Layout& layout, std::stop_token stop);
// The same, unless another generation than `newest` is the newest one when it comes to that: then absent, and nothing
// is changed. Nor is it where HEAD cannot tell: there is none, but other objects are (not_found), or it is damaged
// (corrupt).
Result<std::optional<PurgeReport>> purge_unless_saved(store::ObjectStore& store, const Layout& layout,
                                                      std::string_view newest, std::stop_token stop);

// A cache by what lies in the store of it.
struct StoredCache {
  Name name;
  bool has_head = false;  // else it was purged from outside, and this is what is left
  Stored objects;         // HEAD among them
};

// All caches of the app that any object is left of, in the order of their names. All their objects are listed.
Result<std::vector<StoredCache>> measure_caches(store::ObjectStore& store, std::string_view app,
                                                const std::stop_token& stop);
// All caches of the app, of whatever stack and architecture, and what is left of those that were purged from outside.
Result<PurgeReport> purge_app(store::ObjectStore& store, std::string_view app, const std::stop_token& stop);

}  // namespace hearth::cache
