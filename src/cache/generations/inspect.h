// Looks at the caches of a store without changing anything: which there are, and what is in them.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/generations/commit.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// The caches that the store has a HEAD of, in the order of their keys. The names of all objects of all apps are listed.
// Errors: the store's.
Result<std::vector<Name>> find_caches(store::ObjectStore& store, const std::stop_token& stop);
// Those of one app, of all its stacks and architectures; only the HEADs and the name after them are looked at.
Result<std::vector<Name>> find_caches(store::ObjectStore& store, std::string_view app, const std::stop_token& stop);

// HEAD as it is now, its state readable. There is none: not_found; damaged: corrupt; of a newer format: invalid. Other
// errors are the store's.
Result<HeadRead> read_usable_head(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop);

enum class Among { in_force, in_force_and_aside };

// The generation that a person names: by its number among those in force (0 is the newest, 1 the one before, …), or by
// its id; those aside have ids only. Points into `head`. not_found: there is no such one; invalid: neither a number nor
// an id.
Result<const Generation*> choose_generation(const Head& head, std::string_view which, Among among);

// A generation with its tree: the manifest, put together from its chain.
struct OpenedGeneration {
  std::string epoch;  // of all its objects
  Generation generation;
  Manifest manifest;

  // What damage of inline content is laid to.
  ObjectName manifest_name() const { return {epoch, ObjectKind::manifest, generation.id, 0}; }
};

// Fetches and verifies the manifest of a generation of this HEAD. corrupt: an object of it is missing or damaged. Other
// errors are the store's.
Result<OpenedGeneration> open_generation(store::ObjectStore& store, const Layout& layout, const Head& head,
                                         const Generation& generation, const std::stop_token& stop);
// The same of the HEAD as it is now, for choose_generation()'s `which`; also with its errors, and read_usable_head()'s.
Result<OpenedGeneration> open_generation(store::ObjectStore& store, const Layout& layout, std::string_view which,
                                         const std::stop_token& stop);

// A path of the cached directory as entries have it, from how a person may write it: "./a/b/" is "a/b", "." is "".
std::string_view entry_path(std::string_view path);

// The file whose content and attributes stand behind an entry: the entry itself, or what it is a hard link to.
Entry resolved(const Manifest& manifest, const Entry& entry);

struct TreeSize {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of the files' contents, holes included; of a file with several names once

  bool operator==(const TreeSize&) const = default;
};
TreeSize size_of(const Manifest& manifest);

}  // namespace hearth::cache
