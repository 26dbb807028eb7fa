// One state of the protocol model: the store, who works on it, and what is on its way.
#pragma once

#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache/protocol_model.h"
#include "cache/transition.h"

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
  purge_read,
  purge_put,
  purge_delete,
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
  Proposal proposal;
  Sweep sweep;
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
  std::vector<Process> processes;
  std::vector<Message> flight;
  std::set<std::string> dead;  // saves that began before a purge
  std::string violation;
};

// What tells states apart, and no more: names by their ends, versions by whether they are still the one that is there,
// times by whether a jump has passed since.
class KeyWriter {
 public:
  explicit KeyWriter(const World& world) : world_(world) {}

  std::string write() {
    put("{}{}{}", world_.version == 0, world_.jumps, world_.faults);
    if (world_.head) add(*world_.head, world_.now);
    for (const auto& [object, modified] : world_.objects) put("{}{}", name(object), modified == world_.now);
    for (const Process& process : world_.processes) add(process);
    for (const Message& message : world_.flight) {
      put("M{}{}{}", static_cast<int>(message.kind), message.condition == world_.version, name(message.object));
      add({.head = message.head, .written = {}, .now = {}}, {});
    }
    for (const std::string& dead : world_.dead) put("x{}", ends(dead));
    return std::move(key_);
  }

 private:
  template <class... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(key_), format, std::forward<Args>(args)...);
  }

  static std::string ends(const std::string& id) { return id.empty() ? "-" : std::string{id.front(), id.back()}; }

  static std::string name(const ObjectName& object) {
    return ends(object.epoch) + (object.kind == ObjectKind::pack ? 'p' : 'm') + ends(object.save);
  }

  char age(store::StoreTime time, store::StoreTime seen) const {
    return time == world_.now ? 'n' : time == seen ? 's' : 'o';
  }

  void add(const Seen& seen, store::StoreTime now) {
    put("H{}{}", ends(seen.head.epoch), age(seen.written, now));
    for (const Generation& generation : seen.head.generations) put("g{}", ends(generation.id));
    for (const Trashed& trashed : seen.head.trash) {
      put("t{}{}", name(trashed.object), trashed.since ? age(*trashed.since, now) : '-');
    }
    for (const ObjectName& object : seen.head.bad) put("b{}", name(object));
  }

  void add(const Process& process) {
    put("P{}", static_cast<int>(process.step));
    if (process.step == Step::finished) return put("{}", process.proposal.epoch.empty());
    put("{}{}{}{}{}{}", process.attempts, process.rounds, process.version == 0, process.version == world_.version,
        process.opened_version == process.version, process.opened_version == world_.version);
    put("{}{}", age(process.began, {}), age(process.seen.now, {}));
    add(process.seen, process.seen.now);
    put("{}{}", ends(process.proposal.epoch), ends(process.proposal.base));
    for (const Listed& listed : process.sweep.objects) {
      put("l{}{}", name(listed.object), process.sweep.taken - listed.modified > kUnreferencedAge);
    }
    for (const ObjectName& object : process.todo) put("d{}", name(object));
    for (const ObjectName& object : process.deleted) put("D{}", name(object));
  }

  const World& world_;
  std::string key_;
};

}  // namespace hearth::cache::model
