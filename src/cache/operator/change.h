// What an operator decides about the generations of a cache.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/generations/collect.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// Generations are named as inspect.h's choose_generation() says. Errors of all functions: there is no such generation,
// or no cache (not_found); `which` names none (invalid); those of update_head(), and the store's.

struct RollbackReport {
  std::string generation;          // that is in force now
  std::vector<std::string> aside;  // what went aside for that, newest first; empty: it was in force already
};
// The generation becomes the newest one: those that are newer go aside, and saves that build on them are dropped.
Result<RollbackReport> roll_back(store::ObjectStore& store, const Layout& layout, std::string_view which,
                                 Rehearse rehearse, const std::stop_token& stop);

struct PinReport {
  std::string generation;
  bool changed = false;           // else it was so already
  std::vector<std::string> pins;  // all of them, now
};
Result<PinReport> pin(store::ObjectStore& store, const Layout& layout, std::string_view which,
                      const std::stop_token& stop);
// An id needs to name a pin only, whatever has become of its generation.
Result<PinReport> unpin(store::ObjectStore& store, const Layout& layout, std::string_view which,
                        const std::stop_token& stop);

}  // namespace hearth::cache
