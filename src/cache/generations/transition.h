// The protocol: every change of HEAD as a pure function. Nothing here reads or writes a store; commit.h and collect.h
// do that with what these functions decide. A Head that they return has a new serial and a new nonce.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/head.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

inline constexpr std::size_t kKeptGenerations = 3;
inline constexpr std::size_t kKeptAside = 3;
// How long an object lies in the trash of committed HEADs before it is deleted: longer than any restore takes.
inline constexpr std::chrono::hours kGrace{1};
inline constexpr std::chrono::hours kGraceWithoutSwap{24};
// Without compare-and-swap a save that took longer does not commit any more.
inline constexpr std::chrono::hours kSaveLimitWithoutSwap{12};
// How old an object that nobody names is before a sweep moves it to the trash, and how often there is a sweep.
inline constexpr std::chrono::hours kUnreferencedAge{24};
inline constexpr std::chrono::hours kSweepInterval{24};

// A HEAD as it was read, with what the store's clock said.
struct Seen {
  Head head;
  store::StoreTime written{};  // when this HEAD was written
  store::StoreTime now{};      // when it was read
};

// Where a save puts its generation: on top of those in force, or aside, as what a failed build left.
enum class Place { in_force, aside };

// What a save wants to commit.
struct Proposal {
  Generation generation;
  std::string epoch;                // of the HEAD that open_head() returned; all own objects lie in it
  std::string base;                 // id of the generation that this one builds on; "" for none
  std::string cut;                  // of the HEAD that open_head() returned
  std::vector<ObjectName> damaged;  // what the restore or the save found missing or damaged; marked where it is named
  Place place = Place::in_force;
};

enum class Verdict {
  put,        // put with_generation(...)
  done,       // it is committed already
  purged,     // the epoch is another one, or the cut is: the cache, or a path of it, was purged
  base_gone,  // the base was dropped, rolled back or quarantined
  collected,  // an own object is in the trash, or was there and is deleted
  too_late,   // no compare-and-swap, and longer than kSaveLimitWithoutSwap
};
std::string_view name(Verdict verdict);

// Every object that HEAD names, with its size.
std::map<ObjectName, std::uint64_t> named_objects(const Head& head);

// The objects that the proposal's save has written itself; nobody else named them when it began.
std::vector<ObjectName> own_objects(const Proposal& proposal);

// `began`: the store's clock when open_head() returned. It does not see whether own objects are still there: after a
// conflict the caller asks the store for each of own_objects(), *after* reading this HEAD, and drops the save where one
// is gone.
Verdict decide(const Seen& seen, const Proposal& proposal, store::StoreTime began);

// An empty HEAD with a fresh epoch. Of a HEAD that was there before, `previous` is its serial.
Head create(const Name& name, store::CompareAndSwap compare_and_swap, std::uint64_t previous = 0);

// The generation at its place. On top of those in force: what falls off the end goes to the trash, and so does what a
// failed build left before. Aside: in the stead of what another failed build left; what is in force stays so.
Head with_generation(const Seen& seen, const Proposal& proposal);

// What a failed build left goes to the trash.
Head without_failed(const Seen& seen);

Head purged(const Seen& seen);

// All generations newer than `id` go aside. not_found: there is no such generation.
Result<Head> rolled_back(const Seen& seen, std::string_view id);
// The generation goes aside. not_found: there is no such generation.
Result<Head> quarantined(const Seen& seen, std::string_view id);
// not_found: there is no such generation. Unpinning what is not pinned changes nothing.
Result<Head> pinned(const Seen& seen, std::string_view id);
Head unpinned(const Seen& seen, std::string_view id);

// What becomes of a generation: another one takes its place and its pin, or (absent) it is dropped, pinned or not.
using Fates = std::map<std::string, std::optional<Generation>, std::less<>>;
enum class SavesUnderWay { go_on, are_dropped };
// Each generation of `fates`, in force or aside, has its fate. What only it named goes to the trash. Saves that build
// on it are dropped in any case, the others as `saves` says.
Head replaced(const Seen& seen, const Fates& fates, SavesUnderWay saves);

// What may be deleted: in the trash of committed HEADs for longer than the grace.
std::vector<ObjectName> expired_trash(const Seen& seen);
// Takes objects out of the trash that are deleted for certain.
Seen without_trash(Seen seen, const std::set<ObjectName>& deleted);
// Puts objects of the trash behind all others there, so that what could not be deleted is not tried first again.
Seen with_trash_last(Seen seen, const std::set<ObjectName>& last);

struct Listed {
  ObjectName object;
  std::uint64_t bytes = 0;
  store::StoreTime modified{};
};

// A sweep moves no more objects to the trash at once, so that HEAD stays small; the next one goes on.
inline constexpr std::size_t kSweepLimit = 2000;

// What a sweep found. The listing was complete, and taken before the HEAD was read.
struct Sweep {
  std::vector<Listed> objects;
  store::StoreTime taken{};      // the store's clock at its end
  std::vector<ObjectName> gone;  // named by the HEAD, not listed, and confirmed as absent
};

bool sweep_due(const Seen& seen);
// What the HEAD names and the listing does not have; it may have been written after the listing.
std::vector<ObjectName> unlisted(const Head& head, const std::vector<Listed>& objects);
// Unreferenced objects that are old enough go to the trash; referenced ones that are gone or have another size are bad.
Head swept(const Seen& seen, const Sweep& sweep);

}  // namespace hearth::cache
