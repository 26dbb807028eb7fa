// Looks at the caches of a store without changing anything: which there are, and what is in them.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "cache/commit.h"
#include "cache/head.h"
#include "cache/layout.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// The caches that the store has a HEAD of, in the order of their keys. The names of all objects of all apps are listed.
// Errors: the store's.
Result<std::vector<Name>> find_caches(store::ObjectStore& store, const std::stop_token& stop);
// Those of one app, of all its stacks and architectures; only the HEADs and the name after them are looked at.
Result<std::vector<Name>> find_caches(store::ObjectStore& store, std::string_view app, const std::stop_token& stop);

// HEAD as it is now, its state readable. There is none: not_found; damaged: corrupt; of a newer format: invalid. Other
// errors are the store's.
Result<HeadRead> read_usable_head(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop);

enum class Among { in_force, in_force_and_aside };

// The generation that a person names: by its number among those in force (0 is the newest, 1 the one before, …), or by
// its id; those aside have ids only. Points into `head`. not_found: there is no such one; invalid: neither a number nor
// an id.
Result<const Generation*> choose_generation(const Head& head, std::string_view which, Among among);

}  // namespace hearth::cache
