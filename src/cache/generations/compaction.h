// Which packs are worth writing anew, so that content that nobody needs any more does not pile up.
#pragma once

#include <vector>

#include "cache/format/manifest.h"

namespace hearth::cache {

// For each pack of the base: whether the next save is to store the content that it still needs from it once more, from
// the local files, and name the pack no longer. Dead bytes stay below 15 % of the live ones: the deadest packs go
// first. There are at most a third more packs than a first save would make, or two more: else so many of the smallest
// become one that half of that surplus is free again. Bounded by what one save may rewrite.
std::vector<bool> worn_packs(const Manifest& base);

}  // namespace hearth::cache
