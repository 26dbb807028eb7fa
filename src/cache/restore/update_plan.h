// How a directory that was equal to one generation becomes equal to another one, with as little as possible made anew.
#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "cache/format/manifest.h"
#include "cache/tree/save_plan.h"
#include "cache/tree/tree.h"
#include "util/error.h"

namespace hearth::cache {

enum class Action : std::uint8_t {
  keep,    // it is as it should be
  finish,  // it is there, and its mode and time are to be set; of a directory: once nothing is made in it any more
  make,    // it is not there once the way is cleared
};

struct UpdatePlan {
  std::vector<Action> actions;         // of the wanted manifest's entries
  std::vector<FileStatus> files;       // of those that are kept, in the same order, as Index::files has them
  std::vector<std::uint32_t> opened;   // found directories that nobody may write to, but that change; parents first
  std::vector<std::uint32_t> removed;  // found entries; what is in a directory comes before it
};

// `found` is what the directory holds now, and `base.index` is there. A file is kept only where the index proves that
// it has the content of `base`, and `base` gives it the same content as `wanted` does.
UpdatePlan plan_update(const Listing& found, const Base& base, const Manifest& wanted);

// Removes what the plan removes, by `threads` threads. Errors: the file system's, and cancelled; they leave anything.
Result<void> clear_way(const Directories::Handle& root, const Listing& found, const UpdatePlan& plan, unsigned threads,
                       const std::stop_token& stop);

}  // namespace hearth::cache
