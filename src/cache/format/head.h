// HEAD, the ref: the one small object that names what counts in a cache. It is JSON, so that a person can read it, with
// a checksum over every byte of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

// The format that this program writes. It reads HEADs up to it, and rewrites those whose min_writer is up to it.
inline constexpr std::uint32_t kHeadFormat = 1;
// No HEAD is larger; a larger one is corrupt.
inline constexpr std::uint64_t kHeadLimit = 4 << 20;
// A full manifest and the deltas on it: at most this many objects.
inline constexpr std::size_t kChainLimit = 4;

struct ManifestName {
  std::string save;
  std::uint64_t bytes = 0;  // the object's size, kManifestObjectLimit at most
  util::Digest digest;      // SHA-256 of the object

  bool operator==(const ManifestName&) const = default;
};

// One saved state.
struct Generation {
  std::string id;                       // the save that wrote it
  store::StoreTime saved{};             // the store's clock when the save began
  std::vector<ManifestName> manifests;  // 1 … kChainLimit; the first is this generation's own, each a delta on the next
  std::vector<PackName> packs;          // all that its content lies in, sorted; each of kPackLimit at most
  bool failed = false;  // of one aside: what a build left that failed; restored where somebody asks for it
  std::string unknown;  // JSON object of the members that this program does not know; "" for none

  bool operator==(const Generation&) const = default;
};

// An object that waits for its deletion.
struct Trashed {
  ObjectName object;
  // Since when a committed HEAD names it here. Absent: since the HEAD was written that holds this very entry.
  std::optional<store::StoreTime> since;

  bool operator==(const Trashed&) const = default;
};

struct Head {
  std::uint32_t min_writer = 1;
  Name name;
  std::string epoch;         // of all objects that count; a purge makes a new one
  std::uint64_t serial = 0;  // one more with each write
  std::string nonce;         // new with each write
  std::string cut;           // new when a path is purged: saves that began before are dropped; "" before the first time
  store::CompareAndSwap compare_and_swap = store::CompareAndSwap::honoured;  // absent once any writer had none
  std::vector<Generation> generations;  // newest first; a restore takes the first good one
  // Rolled back, quarantined, or what a failed build left; newest first. Kept for a look: a restore takes none of them
  // but that of a failed build, and that only for From::failed_first.
  std::vector<Generation> aside;
  std::vector<std::string> pins;  // ids of generations that are not dropped
  std::vector<ObjectName> bad;    // referenced, but missing or damaged; nobody takes over content from them
  std::vector<Trashed> trash;
  std::optional<store::StoreTime> swept;  // when the last sweep took its listing, or the first generation came
  std::string unknown;                    // JSON object of the members that this program does not know; "" for none

  bool operator==(const Head&) const = default;
};

std::string encode_head(const Head& head);

// corrupt: damaged, or not a HEAD. invalid: of a newer format; nothing of it is to be used, and nothing saved.
Result<Head> decode_head(std::string_view text);

// The manifests and packs that the generation consists of.
std::vector<ObjectName> objects_of(const Head& head, const Generation& generation);

const Generation* find_generation(const Head& head, std::string_view id);

// What the last build left that failed, if it was kept; no build has succeeded since.
const Generation* failed_generation(const Head& head);

// What a save may build on: a generation in force, or failed_generation(). Null where the id is neither's.
const Generation* find_base(const Head& head, std::string_view id);

// True if the object is marked bad, or if any of the generation's is.
bool is_bad(const Head& head, const ObjectName& object);
bool names_bad(const Head& head, const Generation& generation);

}  // namespace hearth::cache
