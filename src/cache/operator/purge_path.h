// Purges a part of a cache: what is chosen of the directory is in no generation any more.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/generations/collect.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// Whether an entry goes. What lies in a chosen directory goes with it, without being asked for.
using Chosen = std::function<bool(const Entry&)>;

struct DroppedGeneration {
  std::string id;
  bool pinned = false;
  bool readable = true;       // else nobody can tell what is in it, and it goes for that
  std::uint64_t entries = 0;  // of those that were chosen
  std::uint64_t bytes = 0;    // of the files among them
};

struct PathPurgeReport {
  std::string generation;                  // that now is the newest instead; "" if none is made anew
  std::vector<std::string> paths;          // what was chosen in the newest one, without what lies in chosen directories
  std::vector<DroppedGeneration> dropped;  // newest first, the one that is replaced among them, those aside at the end
  // Objects that nobody needs any more, which are deleted when the grace is over. Not told by a rehearsal.
  Stored trashed;
  std::uint64_t uploaded_bytes = 0;
};

// The newest generation that can be read is replaced by one without what was chosen; all others that have any of it are
// dropped, pinned ones and those aside too, as are those that cannot be read. Saves that began before are dropped, so
// none brings it back; one that is committed meanwhile is purged with the rest. Uploads a manifest and HEAD. Content
// that shares a pack with what stays is deleted when a later save writes that pack anew. Nothing was chosen: nothing
// changes. Rehearse::yes only tells, and changes nothing. Errors: those of update_head(), and the store's.
Result<PathPurgeReport> purge_path(store::ObjectStore& store, const Layout& layout, const Chosen& chosen,
                                   Rehearse rehearse, std::stop_token stop);

}  // namespace hearth::cache
