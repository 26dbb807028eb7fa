// Manifest objects in the store: loads a generation's chain, verified, and writes a new one in its smallest form.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <stop_token>

#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/generations/transition.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

struct LoadedManifest {
  Manifest manifest;
  std::uint64_t fetched_bytes = 0;
};

struct LoadFailure {
  Error error;                        // not_found: HEAD is to be read again; corrupt: the generation is damaged
  std::optional<ObjectName> damaged;  // what was absent, or not what HEAD says it is
};

// A generation's manifest that is known without the store, since this machine has a copy of it.
struct KnownManifest {
  const std::string& generation;  // of the same epoch
  const Manifest& manifest;
};

// Fetches the generation's manifests at once and verifies each against HEAD's size and SHA-256, then the whole against
// the rules of manifest.h and against the generation's packs: every pack that it uses is one that HEAD names.
// From `known`, if it is among them, on down nothing is fetched.
std::expected<LoadedManifest, LoadFailure> load_manifest(store::ObjectStore& store, const Layout& layout,
                                                         const Head& head, const Generation& generation,
                                                         std::stop_token stop,
                                                         const std::optional<KnownManifest>& known = std::nullopt);

// `made` with all of `before` that is not about its objects: for one that takes the place of another.
Generation in_place_of(const Generation& before, Generation made);

// A generation that a new one may be a delta on.
struct DeltaBase {
  const Generation& generation;
  const Manifest& manifest;  // what load_manifest gave for it
};

struct StoredManifest {
  Generation generation;    // complete: id, saved, manifests, packs
  std::uint64_t bytes = 0;  // uploaded
};

// Stores the manifest of the save `save` in the opened HEAD's epoch: as a delta where the base allows it (chain short
// enough, no inline bytes, nothing of it bad, few changes), else in full. The manifest must pass check(): else invalid,
// and nothing is stored.
Result<StoredManifest> store_manifest(store::ObjectStore& store, const Layout& layout, const Seen& opened,
                                      const std::string& save, const Manifest& manifest,
                                      const std::optional<DeltaBase>& base, std::stop_token stop);

}  // namespace hearth::cache
