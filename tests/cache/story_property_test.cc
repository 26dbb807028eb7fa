// Everything that happens to a cache, at random, against a model of it: the list of generations that may be restored.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <set>

#include "cache/engine_support.h"
#include "cache/generations/collect.h"
#include "cache/generations/commit.h"
#include "cache/operator/purge_path.h"
#include "cache/operator/verify.h"
#include "cache/tree_worker.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using support::LastMutation;

enum class Deed { save, restore, restore_anew, roll_back, quarantine, purge, purge_path, sweep, pass_hours, pass_days };

struct Move {
  Deed deed = Deed::save;
  unsigned who = 0;             // of the machines
  unsigned which = 0;           // of the generations
  int dies_after = -1;          // mutations, until the store does; -1: it does not
  bool unacknowledged = false;  // the last one
  std::vector<Step> steps;      // of a save: what is done to the directory before

  friend std::ostream& operator<<(std::ostream& out, const Move& move) {
    out << fmt::format("deed {} of machine {} on generation {}, dies after {} {}:", static_cast<int>(move.deed),
                       move.who, move.which, move.dies_after, move.unacknowledged);
    for (const Step& step : move.steps) out << ' ' << step;
    return out;
  }
};

constexpr unsigned kMachines = 3;

rc::Gen<Move> any_move() {
  using enum Deed;
  return rc::gen::build<Move>(
      rc::gen::set(&Move::deed, rc::gen::weightedElement<Deed>({{8, save},
                                                                {4, restore},
                                                                {1, restore_anew},
                                                                {2, roll_back},
                                                                {1, quarantine},
                                                                {1, purge},
                                                                {2, purge_path},
                                                                {1, sweep},
                                                                {1, pass_hours},
                                                                {1, pass_days}})),
      rc::gen::set(&Move::who, rc::gen::inRange(0U, kMachines)), rc::gen::set(&Move::which, rc::gen::inRange(0U, 3U)),
      rc::gen::set(&Move::dies_after,
                   rc::gen::weightedOneOf<int>({{3, rc::gen::just(-1)}, {1, rc::gen::inRange(0, 6)}})),
      rc::gen::set(&Move::unacknowledged, rc::gen::arbitrary<bool>()),
      rc::gen::set(&Move::steps, rc::gen::resize(4, rc::gen::container<std::vector<Step>>(any_step()))));
}

// An empty directory that was saved over an empty one keeps the time of the first; none is the same as an empty one.
Picture comparable(Picture tree) {
  if (tree.size() == 1) tree.clear();
  return tree;
}

// The names that stay of a file that had several are names of it still.
Picture without(Picture tree, const std::string& top) {
  std::erase_if(tree, [&](const auto& one) { return one.first == top || one.first.starts_with(top + "/"); });
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [path, node] : tree) {
    if (!node.twin.empty()) names[node.twin].push_back(path);
  }
  for (const auto& [twin, paths] : names) {
    for (const std::string& path : paths) tree.at(path).twin = paths.size() == 1 ? "" : paths.front();
  }
  return tree;
}

struct Known {
  std::string id;
  Picture tree;
};

class Story {
 public:
  Story() {
    for (unsigned i = 0; i < kMachines; ++i) machines_.push_back(std::make_unique<Machine>(store_));
  }

  void tell(const std::vector<Move>& moves) {
    for (const Move& move : moves) {
      if (move.dies_after >= 0) {
        store_.die_after(static_cast<std::uint64_t>(move.dies_after),
                         move.unacknowledged ? LastMutation::unacknowledged : LastMutation::lost);
      }
      act(move);
      store_.revive();
      check_head();
    }
    check_end();
  }

 private:
  Head head() { return read_head(memory_, layout_, {}).value().seen.head; }
  bool died() const { return store_.dead(); }

  void act(const Move& move) {
    switch (move.deed) {
      case Deed::save:
        return save(move);
      case Deed::restore:
        return restore(move.who);
      case Deed::restore_anew:
        wipe(machines_[move.who]->directory());
        fs::remove(machines_[move.who]->index());
        return restore(move.who);
      case Deed::roll_back:
      case Deed::quarantine:
        return set_aside(move);
      case Deed::purge:
        return purge();
      case Deed::purge_path:
        return purge_path(move.which);
      case Deed::sweep:
        RC_ASSERT(sweep(store_, layout_, {}).has_value() || died());
        return;
      case Deed::pass_hours:
        return memory_.advance(2h);
      case Deed::pass_days:
        return memory_.advance(26h);
    }
  }

  bool in_force(const std::string& id) const {
    return std::ranges::find(generations_, id, &Known::id) != generations_.end();
  }

  void push(std::string id, Picture tree) {
    generations_.insert(generations_.begin(), Known{std::move(id), std::move(tree)});
    if (generations_.size() > kKeptGenerations) generations_.pop_back();
  }

  void save(const Move& move) {
    Machine& machine = *machines_[move.who];
    std::string& base = bases_[move.who];
    Worker(machine.directory()).apply(move.steps);
    const Picture tree = comparable(picture(machine.directory()));
    const SaveReport report = machine.save();
    const bool replaced = !base.empty() && !in_force(base);
    switch (report.outcome) {
      case SaveOutcome::saved:
        RC_ASSERT(!replaced);
        push(report.generation, tree);
        base = report.generation;
        break;
      case SaveOutcome::unchanged:
        RC_ASSERT(!replaced);
        RC_ASSERT(tree == (generations_.empty() ? Picture() : tree_of(base)));
        base = report.generation;
        break;
      case SaveOutcome::superseded:
        RC_ASSERT(replaced);
        base.clear();
        break;
      default:
        RC_ASSERT(died());
        adopt_unacknowledged(tree);
    }
  }

  Picture tree_of(const std::string& base) const {
    const auto known = std::ranges::find(generations_, base, &Known::id);
    return known == generations_.end() ? generations_.front().tree : known->tree;
  }

  // The store died at the save: it may be committed all the same.
  void adopt_unacknowledged(const Picture& tree) {
    const Head now = head();
    if (!now.generations.empty() && !in_force(now.generations.front().id)) push(now.generations.front().id, tree);
  }

  void restore(unsigned who) {
    Machine& machine = *machines_[who];
    RC_ASSERT(make_room(machine.directory(), machine.index(), Replace::yes).has_value());
    const RestoreReport report = machine.restore();
    check_restored(report, machine.directory());
    bases_[who] = report.generation;
  }

  void check_restored(const RestoreReport& report, const fs::path& directory) const {
    RC_ASSERT(report.outcome == (generations_.empty() ? RestoreOutcome::miss : RestoreOutcome::hit));
    if (!generations_.empty()) RC_ASSERT(report.generation == generations_.front().id);
    RC_ASSERT(comparable(picture(directory)) == (generations_.empty() ? Picture() : generations_.front().tree));
  }

  void set_aside(const Move& move) {
    if (generations_.empty()) return;
    const auto chosen = generations_.begin() + static_cast<std::ptrdiff_t>(move.which % generations_.size());
    const bool alone = move.deed == Deed::quarantine;
    const std::string id = chosen->id;
    const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
      if (alone) return TRY(quarantined(seen, id));
      return TRY(rolled_back(seen, id));
    };
    std::vector<Known> after = generations_;
    const auto same = after.begin() + (chosen - generations_.begin());
    after.erase(alone ? same : after.begin(), alone ? same + 1 : same);
    const bool done = update_head(store_, layout_, transition, {}).has_value();
    RC_ASSERT(done || died());
    if (done || head().generations.size() == after.size()) generations_ = std::move(after);
  }

  void purge() {
    const std::string epoch = head().epoch;
    const bool done = cache::purge(store_, layout_, {}).has_value();
    RC_ASSERT(done || died());
    if (done || head().epoch != epoch) generations_.clear();
  }

  void purge_path(unsigned which) {
    std::set<std::string> tops;
    for (const Known& known : generations_) {
      for (const auto& [path, node] : known.tree) {
        if (!path.empty() && !path.contains('/')) tops.insert(path);
      }
    }
    if (tops.empty()) return;
    const std::string top = *std::next(tops.begin(), static_cast<std::ptrdiff_t>(which % tops.size()));
    const std::string cut = head().cut;
    const auto chosen = [&](const Entry& entry) { return entry.path == Path(top); };
    const bool done = cache::purge_path(store_, layout_, chosen, Rehearse::no, {}).has_value();
    RC_ASSERT(done || died());
    if (!done && head().cut == cut) return;
    std::vector<Known> left;
    for (const Known& known : generations_) {
      const bool newest = &known == &generations_.front();
      if (!known.tree.contains(top)) {
        left.push_back(known);
      } else if (newest) {
        left.push_back({head().generations.front().id, comparable(without(known.tree, top))});
      }
    }
    generations_ = std::move(left);
  }

  void check_head() {
    const Head now = head();
    RC_ASSERT(now.generations.size() == generations_.size());
    for (std::size_t i = 0; i < generations_.size(); ++i) RC_ASSERT(now.generations[i].id == generations_[i].id);
    RC_ASSERT(now.bad.empty());
  }

  // What may be restored is whole, one after the other.
  void check_end() {
    const VerifyOutcome outcome = verify(memory_, kName, 1, {}).outcome;
    RC_ASSERT(outcome == VerifyOutcome::sound || outcome == VerifyOutcome::absent);
    while (!generations_.empty()) {
      Machine fresh(store_);
      check_restored(fresh.restore(), fresh.directory());
      set_aside({.deed = Deed::quarantine, .steps = {}});
      check_head();
    }
  }

  static inline const Name kName{.app = "demo", .stack = "heroku-24", .arch = "amd64"};
  const Layout layout_ = Layout::of(kName).value();
  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::string> bases_{kMachines};  // what each machine's directory was equal to; "" for none
  std::vector<Known> generations_;             // newest first
};

TEST(StoryProperty, WhatMayBeRestoredIsWhatTheModelSays) {
  // Enough for each run of the suite; RC_PARAMS asks for more.
  ::setenv("RC_PARAMS", "max_success=25", 0);
  const bool held =
      rc::check([] { Story().tell(*rc::gen::resize(25, rc::gen::container<std::vector<Move>>(any_move()))); });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace hearth::cache::testing
