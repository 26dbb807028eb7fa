// A store that fails when and how a test says so.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "store/object_store.h"

namespace hearth::support {

enum class Verb { get, put, stat, list, remove };

struct Operation {
  Verb verb = Verb::get;
  std::string key;  // list: the prefix
};

// What becomes of the mutation at which the store dies.
enum class LastMutation { lost, unacknowledged };

// Passes everything on to `inner`, which it does not own, except for the faults that were set. Thread-safe; faults may
// be set while it is in use.
class FaultyStore : public store::ObjectStore {
 public:
  explicit FaultyStore(store::ObjectStore& inner) : inner_(inner) {}

  // Lets `survivors` mutations (put, remove) through, counted from now; at the next one, and from then on, every
  // operation is unavailable. That next mutation is lost, or reaches the inner store all the same.
  void die_after(std::uint64_t survivors, LastMutation last);
  bool dead() const;
  void revive();

  // put and remove calls that came until now; those of a dead store do not count.
  std::uint64_t mutations() const;

  // What get, stat and list show of an object, whatever lies in the inner store: bytes with one bit turned over (an
  // offset past the end: nothing happens), a shorter object, none. `heal` forgets all of these.
  void corrupt(const store::Key& key, std::uint64_t offset = 0);
  void truncate(const store::Key& key, std::uint64_t size);
  void hide(const store::Key& key);
  void heal();

  // Every operation with this verb fails with this kind, until `forgive`.
  void refuse(Verb verb, ErrorKind kind);
  void forgive();

  // Every operation waits until its token fires, and is cancelled then (a token that cannot fire: unavailable at once).
  // `resume` lets the waiting ones go on.
  void stall();
  // The same, but their tokens do not help: as a system call that does not return.
  void hang();
  void resume();

  // Called before each operation, in its thread, without any lock: another writer may act there, on the inner store.
  // Operations of this store from within the hook do not call it again. Set it before the store is used.
  void before_each(std::function<void(const Operation&)> hook) { hook_ = std::move(hook); }

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override;
  Result<store::Version> put(const store::Key& key, store::Body body, const store::Condition& condition,
                             std::stop_token stop) override;
  Result<store::ObjectInfo> stat(const store::Key& key, std::stop_token stop) override;
  Result<void> list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const store::Key& key, std::stop_token stop) override;
  store::CompareAndSwap compare_and_swap() const override { return inner_.compare_and_swap(); }
  std::string description() const override { return inner_.description(); }

 private:
  enum class Fate { passes, applied_only, lost };
  // What was set for an object: that it is hidden, or at most this long.
  struct Look {
    bool hidden = false;
    std::optional<std::uint64_t> size;
  };

  Result<void> begin(Verb verb, const std::string& key, const std::stop_token& stop);
  Fate next_mutation();
  Look look_of(const store::Key& key) const;
  // The object as it is to be seen; absent if hidden.
  std::optional<store::ObjectInfo> disguised(store::ObjectInfo info) const;

  store::ObjectStore& inner_;
  std::function<void(const Operation&)> hook_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool dead_ = false;
  bool stalled_ = false;
  bool hanging_ = false;
  std::optional<std::uint64_t> survivors_;
  LastMutation last_ = LastMutation::lost;
  std::uint64_t mutations_ = 0;
  std::map<store::Key, std::set<std::uint64_t>> corrupt_;
  std::map<store::Key, std::uint64_t> truncated_;
  std::set<store::Key> hidden_;
  std::map<Verb, ErrorKind> refused_;
};

}  // namespace hearth::support
