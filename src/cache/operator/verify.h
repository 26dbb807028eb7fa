// Reads all that a cache names, and tells what of it is not as it should be, and which files that costs.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/progress.h"

namespace hearth::cache {

struct DamagedObject {
  std::string object;  // "HEAD", or as messages name it: "<epoch>/pack/<save>-<number>"
  std::string problem;
};

struct DamagedGeneration {
  std::string id;
  bool whole = false;              // nothing of it can be restored: its manifest is damaged, or HEAD says it is bad
  std::vector<std::string> files;  // else those whose content is damaged, in bytewise order; hard links are not listed
};

enum class VerifyOutcome {
  sound,
  damaged,
  absent,       // there is no such cache
  unavailable,  // not everything could be read, so nothing is said of the cache
};
std::string_view name(VerifyOutcome outcome);

struct VerifyReport {
  VerifyOutcome outcome = VerifyOutcome::unavailable;
  std::optional<Error> error;  // of unavailable: why
  std::uint64_t generations = 0;
  std::uint64_t objects = 0;  // that were looked at, HEAD among them
  std::uint64_t read_bytes = 0;
  std::vector<DamagedObject> damaged_objects;  // sorted by name
  std::vector<DamagedGeneration> damaged_generations;
};

// Generations that HEAD says to be bad already are left out, as long as another one in force is not; nobody restores
// them.
//
// Changes nothing in the store, and goes well with savers at work: an object that HEAD names no longer at the end is
// not counted as damaged. `threads`: 0 is one per core; memory is two packs for each. Never an error: the outcome
// tells. `progress`: of the packs; may be null.
VerifyReport verify(store::ObjectStore& store, const Name& name, unsigned threads, const std::stop_token& stop,
                    util::Progress* progress = nullptr);

}  // namespace hearth::cache
