// What caches cost in their store, and what they hold: in short for all of them, in detail for one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "cache/generations/inspect.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

struct CacheSummary {
  Name name;
  Stored stored;                              // all of it: HEAD too, and what waits for its deletion
  std::uint64_t generations = 0;              // in force
  std::optional<store::StoreTime> last_save;  // when the save of the newest generation began; absent without one
  TreeSize newest;
  std::optional<Error> error;  // why HEAD, or the newest manifest, could not be read; what it would tell is 0 then
};

// The caches that have a HEAD, in the order of their keys: of one app, or of all (""), and of these those that are
// `wanted`. One listing, and two or more small objects for each. Errors: the store's at the listing, and cancelled.
Result<std::vector<CacheSummary>> survey(store::ObjectStore& store, std::string_view app,
                                         const std::function<bool(const Name&)>& wanted, const std::stop_token& stop);

struct GenerationDetails {
  Generation generation;
  bool pinned = false;
  bool bad = false;            // an object of it is missing or damaged, as HEAD knows
  Stored objects;              // that it consists of, by HEAD's sizes; others may need them too
  std::uint64_t own = 0;       // bytes of those that no other generation needs
  std::optional<Error> error;  // why its manifest could not be read; `tree` says nothing then
  TreeSize tree;
};

struct CacheDetails {
  HeadRead head;
  std::vector<GenerationDetails> generations;  // as HEAD has them: newest first
  std::vector<GenerationDetails> aside;
  Stored stored;   // as of CacheSummary
  Stored trash;    // of it: what HEAD names as trash
  Stored unnamed;  // of it: what HEAD does not name at all, such as the objects of a save that is at work
};

// Reads HEAD, lists the objects, and reads each generation's manifest. Errors: read_usable_head()'s.
Result<CacheDetails> look_into(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop);

}  // namespace hearth::cache
