// When a build last made use of a cache, by the reports that builds leave in the store.
#pragma once

#include <optional>
#include <stop_token>

#include "cache/cache.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::build {

// When the report of the app's newest build was stored that restored this cache, if that is after `since`. Absent: none
// did, or nobody knows: of what `hearth cache restore` restored, and of other apps that started from it (--cache-from),
// whose reports lie with them. Reports that cannot be read tell nothing. Errors: the
// store's.
Result<std::optional<store::StoreTime>> last_restore(store::ObjectStore& store, const cache::Name& name,
                                                     store::StoreTime since, const std::stop_token& stop);

}  // namespace hearth::build
