#include "cache/generations/transition.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace hearth::cache {

namespace {

bool in_trash(const Head& head, const ObjectName& object) {
  return std::ranges::find(head.trash, object, &Trashed::object) != head.trash.end();
}

// What every write of HEAD changes. Entries of the trash that were new in the HEAD that was read have been committed
// since that was written.
Head rewritten(const Seen& seen) {
  Head head = seen.head;
  ++head.serial;
  head.nonce = new_id();
  for (Trashed& trashed : head.trash) {
    if (!trashed.since) trashed.since = seen.written;
  }
  return head;
}

void drop_beyond(const Head& head, std::vector<Generation>& generations, std::size_t keep) {
  const std::set<std::string_view> pins(head.pins.begin(), head.pins.end());
  std::size_t kept = 0;
  std::erase_if(generations,
                [&](const Generation& one) { return !one.failed && !pins.contains(one.id) && ++kept > keep; });
}

// Drops the generations that are too many, and moves to the trash what `before` named and nothing names any more.
Head tidied(const Head& before, Head head) {
  drop_beyond(head, head.generations, kKeptGenerations);
  drop_beyond(head, head.aside, kKeptAside);
  const auto named = named_objects(head);
  std::set<ObjectName> trash;
  for (const Trashed& trashed : head.trash) trash.insert(trashed.object);
  for (const auto& [object, bytes] : named_objects(before)) {
    if (!named.contains(object) && trash.insert(object).second) head.trash.push_back({object, std::nullopt});
  }
  std::erase_if(head.bad, [&](const ObjectName& object) { return !named.contains(object); });
  return head;
}

void mark_bad(Head& head, std::span<const ObjectName> objects) {
  if (objects.empty()) return;
  const auto named = named_objects(head);
  std::set<ObjectName> bad(head.bad.begin(), head.bad.end());
  for (const ObjectName& object : objects) {
    if (named.contains(object) && bad.insert(object).second) head.bad.push_back(object);
  }
}

// A generation's manifest stays in the chains of those that are deltas on it, when it is not listed itself any more.
bool is_named(const Head& head, const Proposal& proposal) {
  return named_objects(head).contains({proposal.epoch, ObjectKind::manifest, proposal.generation.id, 0});
}

std::chrono::seconds grace(const Head& head) {
  return head.compare_and_swap == store::CompareAndSwap::honoured ? kGrace : kGraceWithoutSwap;
}

std::unexpected<Error> no_generation(std::string_view id) {
  return fail(ErrorKind::not_found, "the cache has no generation {}", id);
}

}  // namespace

std::map<ObjectName, std::uint64_t> named_objects(const Head& head) {
  std::map<ObjectName, std::uint64_t> objects;
  for (const auto* generations : {&head.generations, &head.aside}) {
    for (const Generation& generation : *generations) {
      for (const ManifestName& manifest : generation.manifests) {
        objects[{head.epoch, ObjectKind::manifest, manifest.save, 0}] = manifest.bytes;
      }
      for (const PackName& pack : generation.packs) {
        objects[{head.epoch, ObjectKind::pack, pack.save, pack.number}] = pack.bytes;
      }
    }
  }
  return objects;
}

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::put:
      return "put";
    case Verdict::done:
      return "done";
    case Verdict::purged:
      return "the cache was purged meanwhile";
    case Verdict::base_gone:
      return "the generation that this one builds on was dropped or rolled back meanwhile";
    case Verdict::collected:
      return "its objects were collected meanwhile, because it took so long";
    case Verdict::too_late:
      return "it took too long for a store without compare-and-swap";
  }
  return "";
}

std::vector<ObjectName> own_objects(const Proposal& proposal) {
  std::vector<ObjectName> own;
  for (const ManifestName& manifest : proposal.generation.manifests) {
    if (manifest.save == proposal.generation.id)
      own.push_back({proposal.epoch, ObjectKind::manifest, manifest.save, 0});
  }
  for (const PackName& pack : proposal.generation.packs) {
    if (pack.save == proposal.generation.id) own.push_back({proposal.epoch, ObjectKind::pack, pack.save, pack.number});
  }
  return own;
}

Verdict decide(const Seen& seen, const Proposal& proposal, store::StoreTime began) {
  const Head& head = seen.head;
  if (head.epoch != proposal.epoch) return Verdict::purged;
  if (is_named(head, proposal)) return Verdict::done;
  if (head.cut != proposal.cut) return Verdict::purged;
  if (head.compare_and_swap == store::CompareAndSwap::absent && seen.now - began > kSaveLimitWithoutSwap) {
    return Verdict::too_late;
  }
  if (!proposal.base.empty() && find_base(head, proposal.base) == nullptr) return Verdict::base_gone;
  const auto own = own_objects(proposal);
  const bool trashed = std::ranges::any_of(own, [&](const ObjectName& object) { return in_trash(head, object); });
  return trashed ? Verdict::collected : Verdict::put;
}

Head create(const Name& name, store::CompareAndSwap compare_and_swap, std::uint64_t previous) {
  Head head;
  head.name = name;
  head.epoch = new_id();
  head.serial = previous + 1;
  head.nonce = new_id();
  head.compare_and_swap = compare_and_swap;
  return head;
}

Head with_generation(const Seen& seen, const Proposal& proposal) {
  Head head = rewritten(seen);
  // What lies beside a new HEAD, were there something, is too young for a sweep, or can wait for the next one.
  if (seen.head.generations.empty() && seen.head.aside.empty() && !head.swept) head.swept = seen.now;
  std::erase_if(head.aside, &Generation::failed);
  const bool failed = proposal.place == Place::aside;
  std::vector<Generation>& place = failed ? head.aside : head.generations;
  place.insert(place.begin(), proposal.generation)->failed = failed;
  mark_bad(head, proposal.damaged);
  return tidied(seen.head, std::move(head));
}

Head without_failed(const Seen& seen) {
  Head head = rewritten(seen);
  std::erase_if(head.aside, &Generation::failed);
  return tidied(seen.head, std::move(head));
}

Head purged(const Seen& seen) {
  Head head = create(seen.head.name, seen.head.compare_and_swap, seen.head.serial);
  head.min_writer = seen.head.min_writer;
  head.unknown = seen.head.unknown;
  return head;
}

Result<Head> rolled_back(const Seen& seen, std::string_view id) {
  Head head = rewritten(seen);
  const auto to = std::ranges::find(head.generations, id, &Generation::id);
  if (to == head.generations.end()) return no_generation(id);
  head.aside.insert(head.aside.begin(), head.generations.begin(), to);
  head.generations.erase(head.generations.begin(), to);
  return tidied(seen.head, std::move(head));
}

Result<Head> quarantined(const Seen& seen, std::string_view id) {
  Head head = rewritten(seen);
  const auto which = std::ranges::find(head.generations, id, &Generation::id);
  if (which == head.generations.end()) return no_generation(id);
  head.aside.insert(head.aside.begin(), *which);
  head.generations.erase(which);
  return tidied(seen.head, std::move(head));
}

Result<Head> pinned(const Seen& seen, std::string_view id) {
  if (find_generation(seen.head, id) == nullptr) return no_generation(id);
  Head head = rewritten(seen);
  if (std::ranges::find(head.pins, id) == head.pins.end()) head.pins.emplace_back(id);
  return head;
}

Head unpinned(const Seen& seen, std::string_view id) {
  Head head = rewritten(seen);
  std::erase(head.pins, id);
  return tidied(seen.head, std::move(head));
}

Head replaced(const Seen& seen, const Fates& fates, SavesUnderWay saves) {
  Head head = rewritten(seen);
  for (auto* generations : {&head.generations, &head.aside}) {
    std::vector<Generation> left;
    for (Generation& generation : *generations) {
      const auto fate = fates.find(generation.id);
      if (fate == fates.end()) {
        left.push_back(std::move(generation));
      } else if (fate->second) {
        std::ranges::replace(head.pins, generation.id, fate->second->id);
        left.push_back(*fate->second);
      } else {
        std::erase(head.pins, generation.id);
      }
    }
    *generations = std::move(left);
  }
  if (saves == SavesUnderWay::are_dropped) head.cut = new_id();
  return tidied(seen.head, std::move(head));
}

std::vector<ObjectName> expired_trash(const Seen& seen) {
  std::vector<ObjectName> expired;
  for (const Trashed& trashed : seen.head.trash) {
    if (seen.now - trashed.since.value_or(seen.written) > grace(seen.head)) expired.push_back(trashed.object);
  }
  return expired;
}

Seen without_trash(Seen seen, const std::set<ObjectName>& deleted) {
  std::erase_if(seen.head.trash, [&](const Trashed& trashed) { return deleted.contains(trashed.object); });
  return seen;
}

Seen with_trash_last(Seen seen, const std::set<ObjectName>& last) {
  std::ranges::stable_partition(seen.head.trash,
                                [&](const Trashed& trashed) { return !last.contains(trashed.object); });
  return seen;
}

bool sweep_due(const Seen& seen) {
  const auto& swept = seen.head.swept;
  // A time to come is one that the store's clock told before it was set back.
  return !swept || seen.now - *swept >= kSweepInterval || *swept > seen.now;
}

std::vector<ObjectName> unlisted(const Head& head, const std::vector<Listed>& objects) {
  auto missing = named_objects(head);
  for (const Listed& listed : objects) missing.erase(listed.object);
  std::vector<ObjectName> names;
  for (const auto& [object, bytes] : missing) names.push_back(object);
  return names;
}

Head swept(const Seen& seen, const Sweep& sweep) {
  Head head = rewritten(seen);
  const auto named = named_objects(head);
  std::vector<ObjectName> bad = sweep.gone;
  std::set<ObjectName> trash;
  for (const Trashed& trashed : head.trash) trash.insert(trashed.object);
  std::size_t moved = 0;
  for (const Listed& listed : sweep.objects) {
    const auto name = named.find(listed.object);
    if (name != named.end()) {
      if (name->second != listed.bytes) bad.push_back(listed.object);
    } else if (sweep.taken - listed.modified > kUnreferencedAge && !trash.contains(listed.object) &&
               moved < kSweepLimit) {
      head.trash.push_back({listed.object, std::nullopt});
      ++moved;
    }
  }
  mark_bad(head, bad);
  head.swept = sweep.taken;
  return head;
}

}  // namespace hearth::cache
