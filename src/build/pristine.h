// What a compile may change, as it was before, so that it can run a second time as if the first had not been.
#pragma once

#include <sys/types.h>

#include <stop_token>

#include "build/work_dir.h"
#include "util/error.h"

namespace hearth::build {

// Copies BUILD_DIR and the checked-out buildpacks to where no build sees them. Links in them stay links, sockets and
// the like are left out. `owner` owns what is copied. Costs the bytes of both.
Result<void> keep_pristine(const WorkDir& work, uid_t owner, const std::stop_token& stop);

// Once, after keep_pristine(): /tmp holds BUILD_DIR and the buildpacks as they were, an empty ENV_DIR, an empty
// CACHE_DIR and what is needed for ssh; HOME is empty.
Result<void> put_back_pristine(const WorkDir& work, uid_t owner);

}  // namespace hearth::build
