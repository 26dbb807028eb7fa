// What an operation on a cache leaves behind, at whichever of its steps the store dies.
#pragma once

#include <functional>
#include <vector>

#include "cache/engine_support.h"
#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {

inline const Name kDemo{.app = "demo", .stack = "heroku-24", .arch = "amd64"};

// A store that may die, and a machine that works with it.
struct Crashed {
  store::MemoryStore memory;  // what is left
  support::FaultyStore store{memory};
  Machine machine{store};
  Layout layout = Layout::of(kDemo).value();
  // The states that may be in force after the operation, the last one if it was successful. An empty Picture: none.
  std::vector<Picture> possible;

  Head head();  // as it is in `memory`; a default one where there is none
  // Saves what lies in the machine's directory; it must go well.
  void save();
};

struct CrashCase {
  // What is there before.
  std::function<void(Crashed&)> prepare;
  // The operation; true if it says that it was successful. Fills in `possible`, unless `prepare` did.
  std::function<bool(Crashed&)> operate;
  // What must hold beside the rest, once the store lives again; may be empty.
  std::function<void(Crashed&, bool successful)> check;
};

// Runs the case with a store that dies at mutation 0, 1, 2, … of the operation, once with that mutation lost and once
// with its answer lost, until the operation gets through. Then, each time: every object that HEAD names is there;
// `verify` finds the cache sound; a fresh machine restores one of the possible states; the operation, repeated, goes
// well; and so does a save of a fresh machine. Expects at least `least` such steps.
void die_at_every_mutation(const CrashCase& what, std::uint64_t least);

}  // namespace hearth::cache::testing
