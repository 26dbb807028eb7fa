// From a URL to a store: the table of schemes, and the only place where decorators are stacked.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "store/metered.h"
#include "store/object_store.h"

namespace hearth::store {

// A store and the counters of everything that was asked of it.
struct OpenStore {
  std::unique_ptr<ObjectStore> store;
  std::shared_ptr<const Meter> meter;
};

// `url`: "file:///absolute/dir" (created when absent, 0700) or an absolute path. An unknown scheme is invalid, and the
// message lists the known ones.
Result<OpenStore> open(std::string_view url);

// "file://" below $XDG_DATA_HOME/hearth/store, or below ~/.local/share where that is unset.
Result<std::string> default_url();

}  // namespace hearth::store
