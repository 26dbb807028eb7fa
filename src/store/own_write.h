// Whether a put whose answer was not clear has happened.
#pragma once

#include "store/object_store.h"

namespace hearth::store {

// The object's version if it holds exactly the body; a conflict if it does not, not_found if there is none. Reads all
// of it. Two writers that put the same bytes cannot be told apart by this.
Result<Version> version_if_equal(ObjectStore& store, const Key& key, const Body& body, const std::stop_token& stop);

}  // namespace hearth::store
