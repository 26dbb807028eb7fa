// The caches of ended builds, which stay in the work directory: the app's next build there restores what differs.
#pragma once

#include <cstdint>

#include "build/work_dir.h"
#include "util/error.h"

namespace hearth::build {

// <root>/caches/<app>/<n>/{tree/,index,bytes}, of the build that held the slot <n> last. Whoever holds the slot may
// change it, and nobody else. Complete where there is a tree; what is not is removed by the slot's next build. `bytes`
// is written last, so that nothing counts that is not there.

// Moves CACHE_DIR, of `bytes` bytes, and its index there, once neither a restore nor a save is at work. Then removes
// the caches that were not used for longest, of slots that nobody holds, until all take at most `most` bytes. After an
// error nothing is kept.
Result<void> keep_cache(const WorkDir& work, std::uint64_t bytes, std::uint64_t most);

// Moves what is kept of this slot back, to where a restore makes the cache: `restored` and `index` of the private
// directory. What is none, or cannot be told to be what it was, is removed.
void take_kept_cache(const WorkDir& work);

// Removes what is kept of this slot.
void drop_kept_cache(const WorkDir& work);

}  // namespace hearth::build
