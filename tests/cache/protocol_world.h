// One state of the protocol model: the store, who works on it, and what is on its way.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache/generations/transition.h"
#include "cache/protocol_model.h"

namespace hearth::cache::model {

enum class Step {
  open,
  upload,
  judge,
  clean,
  put,
  read,
  list,
  sweep_read,
  sweep_clean,
  sweep_put,
  purge_list,
  purge_read,
  purge_put,
  purge_delete,
  cut_read,
  cut_put,
  rollback_read,
  rollback_put,
  restore_read,
  restore_fetch,
  finished
};

struct Process {
  Actor actor = Actor::saver;
  Step step = Step::finished;
  std::string id;
  int attempts = 0;
  int rounds = 0;
  Seen seen;
  int version = 0;  // of the HEAD that was seen; 0: none
  int opened_version = -1;
  store::StoreTime began{};
  Proposal proposal;  // of a rollback: the base is where it goes back to
  Sweep sweep;
  std::set<std::string> epochs;  // that a purge deletes
  std::vector<ObjectName> todo;  // to be deleted
  std::set<ObjectName> deleted;
};

// A request that is on its way still, or once more.
struct Message {
  enum class Kind { put_head, put_object, remove } kind = Kind::remove;
  Head head;
  int condition = 0;
  ObjectName object;
};

struct World {
  std::optional<Seen> head;
  int version = 0;  // of the HEAD that is there; 0: none
  int writes = 0;
  std::map<ObjectName, store::StoreTime> objects;
  store::StoreTime now{std::chrono::hours(24 * 365 * 50)};
  int jumps = 0;
  int faults = 0;
  int epochs = 0;
  int cuts = 0;
  std::vector<Process> processes;
  std::vector<Message> flight;
  std::set<std::string> dead;         // saves that began before a purge
  std::set<std::string> rolled_back;  // generations that were, and saves that build on them
  std::string violation;
};

// Short, so that they need no memory of their own.
inline std::string id_of(char kind, std::size_t number) {
  return fmt::format("{}{:x}", kind == 'g' ? 'a' : kind, number);
}

inline std::string next_epoch(World& world) {
  return id_of('e', static_cast<std::size_t>(++world.epochs));
}

// Random names would make every state a new one.
inline Head plain(Head head) {
  head.serial = 0;
  head.nonce.clear();
  return head;
}

inline Generation generation_of(const std::string& id) {
  return {.id = id, .saved = {}, .manifests = {{id, 1, {}}}, .packs = {{id, 0, 1}}, .unknown = {}};
}

inline bool is_saver(const Process& process) {
  return process.actor == Actor::saver || process.actor == Actor::compactor;
}

// Neither it nor what builds on it is to be in force again.
inline void mark_rolled_back(World& world, const std::string& generation) {
  world.rolled_back.insert(generation);
  for (const Process& process : world.processes) {
    if (is_saver(process) && process.proposal.base == generation) world.rolled_back.insert(process.id);
  }
}

// What began before is not to be seen again.
inline void bury(World& world) {
  for (const Process& process : world.processes) {
    if (is_saver(process) && !process.proposal.epoch.empty()) world.dead.insert(process.id);
  }
}

// The promises that hold in every state.
inline void check_promises(World& world) {
  if (!world.head) return;
  const Head& head = world.head->head;
  for (const auto* generations : {&head.generations, &head.aside}) {
    for (const Generation& generation : *generations) {
      for (const ObjectName& object : objects_of(head, generation)) {
        if (!world.objects.contains(object)) world.violation = "HEAD names " + object.text() + ", which is gone";
      }
      if (world.dead.contains(generation.id)) world.violation = "a purge is undone by " + generation.id;
    }
  }
  for (const Generation& generation : head.generations) {
    if (world.rolled_back.contains(generation.id)) world.violation = "a rollback is undone by " + generation.id;
  }
  for (const ObjectName& object : head.bad) {
    if (world.objects.contains(object)) world.violation = "HEAD calls " + object.text() + " bad, which is good";
  }
}

// What tells states apart, and no more: names by their ends, versions by whether they are still the one that is there,
// times by whether a jump has passed since.
class KeyWriter {
 public:
  explicit KeyWriter(const World& world) : world_(world) {}

  std::string write() {
    put('W', world_.version == 0, world_.jumps, world_.faults);
    if (world_.head) add(*world_.head, world_.now);
    for (const auto& [object, modified] : world_.objects) put('o', object, modified == world_.now);
    for (const Process& process : world_.processes) add(process);
    for (const Message& message : world_.flight) {
      put('M', static_cast<int>(message.kind), message.condition == world_.version, message.object);
      add({.head = message.head, .written = {}, .now = {}}, {});
    }
    for (const std::string& dead : world_.dead) put('x', dead);
    for (const std::string& id : world_.rolled_back) put('y', id);
    return std::move(key_);
  }

 private:
  template <class... Parts>
  void put(char tag, const Parts&... parts) {
    key_ += tag;
    (append(parts), ...);
  }
  void append(bool yes) { key_ += yes ? '1' : '0'; }
  void append(char letter) { key_ += letter; }
  void append(int number) { key_ += static_cast<char>('0' + number); }
  void append(const std::string& id) {
    if (id.empty()) return append('-');
    append(id.front());
    append(id.back());
  }
  void append(const ObjectName& object) {
    append(object.epoch);
    append(object.kind == ObjectKind::pack ? 'p' : 'm');
    append(object.save);
  }

  char age(store::StoreTime time, store::StoreTime seen) const {
    return time == world_.now ? 'n' : time == seen ? 's' : 'o';
  }

  void add(const Seen& seen, store::StoreTime now) {
    put('H', seen.head.epoch, seen.head.cut, age(seen.written, now));
    for (const Generation& generation : seen.head.generations) put('g', generation.id);
    for (const Generation& generation : seen.head.aside) put('a', generation.id);
    for (const Trashed& trashed : seen.head.trash) {
      put('t', trashed.object, trashed.since ? age(*trashed.since, now) : '-');
    }
    for (const ObjectName& object : seen.head.bad) put('b', object);
  }

  void add(const Process& process) {
    put('P', static_cast<int>(process.step));
    if (process.step == Step::finished) return append(process.proposal.epoch.empty());
    put('v', process.attempts, process.rounds, process.version == 0, process.version == world_.version,
        process.opened_version == process.version, process.opened_version == world_.version);
    put('c', age(process.began, {}), age(process.seen.now, {}));
    add(process.seen, process.seen.now);
    put('p', process.proposal.epoch, process.proposal.base, process.proposal.cut);
    for (const Listed& listed : process.sweep.objects) {
      put('l', listed.object, process.sweep.taken - listed.modified > kUnreferencedAge);
    }
    for (const ObjectName& object : process.sweep.gone) put('G', object);
    for (const std::string& epoch : process.epochs) put('E', epoch);
    for (const ObjectName& object : process.todo) put('d', object);
    for (const ObjectName& object : process.deleted) put('D', object);
  }

  const World& world_;
  std::string key_;
};

}  // namespace hearth::cache::model
