// Makes whole again what is damaged in a cache, from a directory of this machine that still has the content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/generations/collect.h"
#include "cache/operator/verify.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

struct MendedGeneration {
  std::string id;   // as it was
  std::string now;  // the one that took its place
};

struct RepairReport {
  // sound: everything was, or is now. damaged: `left` says what is still. absent, unavailable: as of verify().
  VerifyOutcome outcome = VerifyOutcome::unavailable;
  std::optional<Error> error;                  // of unavailable, and of a HEAD that is damaged itself
  std::vector<DamagedObject> damaged_objects;  // that were found; sorted
  std::vector<MendedGeneration> mended;
  std::vector<DamagedGeneration> left;  // of these, `files` are those whose content the directory does not have
  Stored uploaded;                      // without HEAD
};

// Each generation, in force or aside, of which content is damaged or missing, or that HEAD calls bad, is replaced by
// one of the same files, whose damaged packs are made anew: from what is good of them, and from `directory`. Of the
// directory is taken what is proved to be the content that was saved: by the digest of a chunk, wherever in the
// directory it lies; by the digest of the whole block; or by the index of the directory. Nothing is done for a
// generation that would not become whole, or whose manifest is damaged.
//
// Content is uploaded, then HEAD changes once. Saves that build on a generation that was replaced are dropped. Memory
// as of verify(). Never an error: the outcome tells.
RepairReport repair(store::ObjectStore& store, const Name& name, const std::filesystem::path& directory,
                    unsigned threads, const std::stop_token& stop);

}  // namespace hearth::cache
