// What a compile may change, as it was before, so that it can run a second time as if the first had not been.
#pragma once

#include <sys/types.h>

#include <optional>
#include <stop_token>

#include "build/work_dir.h"
#include "util/error.h"

namespace hearth::build {

// Copies BUILD_DIR and the checked-out buildpacks to where no build sees them. Links in them stay links, sockets and
// the like are left out. `owner` (sandbox::file_owner) owns what is copied. Costs the bytes of both. An error, and
// nothing is kept, where it cannot be done, as on a full disk; and where something else is in the place of one of the
// two: buildpacks have run by then, as detect does, and a link that they put there leads anywhere.
Result<void> keep_pristine(const WorkDir& work, std::optional<uid_t> owner, const std::stop_token& stop);

// Nobody needs it any more: frees its space.
void drop_pristine(const WorkDir& work);

// Once, after keep_pristine(): /tmp holds BUILD_DIR and the buildpacks as they were, an empty ENV_DIR, an empty
// CACHE_DIR and what is needed for ssh; HOME is empty.
Result<void> put_back_pristine(const WorkDir& work, std::optional<uid_t> owner);

}  // namespace hearth::build
