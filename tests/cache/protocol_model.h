// A model of the protocol: savers, collectors, purges, rollbacks and restores on one store, every order of their steps.
// What is decided is decided by the functions of transition.h; the model only carries messages, loses them, and lets
// time pass.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hearth::cache::model {

// What the protocol does to keep its promises; one of them can be taken away.
enum class Rule {
  none,
  compare_and_swap,  // HEAD is put only if it is as it was read
  epoch,             // a save of another epoch is dropped
  head_gone,         // a save is dropped if there is no HEAD any more
  head_first,        // HEAD is made before the first upload
  base_there,        // a save is dropped if its base is, or is rolled back
  base_packs,        // content is taken over only from packs that the base names
  own_not_in_trash,  // a save is dropped if an object of it is in the trash
  own_there,         // a save is dropped if an object of it is gone
  committed_trash,   // nothing is deleted that a committed HEAD does not name in its trash
  grace,             // what is in the trash stays a while
  sure_deletion,     // an entry leaves the trash only when its object is deleted for certain
  unreferenced_age,  // a sweep leaves young objects alone
  listing_first,     // a sweep lists the objects before it reads HEAD
  confirmed_absent,  // a sweep asks for what it has not listed before it calls it bad
  purged_epochs,     // a purge deletes the epochs alone that it knew before its HEAD was there
  cut,               // a save that began before a path was purged is dropped
};

enum class Actor {
  saver,      // takes over every pack of its base
  compactor,  // a saver that writes anew what it needs of its base's oldest pack
  collector,
  purger,          // HEAD with a new epoch, then deletion
  outside_purger,  // who knows nothing of HEAD: deletes it, then the rest
  path_purger,     // puts what is left of the newest generation in its place, and drops all others
  rollback,        // to the generation before the newest
  restorer,        // of the oldest generation
};

struct Scenario {
  std::vector<Actor> actors;
  std::size_t generations = 3;  // that the cache has at the begin; 0: an empty HEAD
  bool no_head = false;         // nothing is there at the begin
  int jumps = 2;                // how often 25 hours pass in one step
  int sweeps = 2;               // of each collector
  int faults = 0;               // how many requests are lost, delayed, repeated, or their answers lost
  Rule without = Rule::none;
};

struct Exploration {
  std::size_t states = 0;
  std::size_t committed = 0;  // states in which a saver has just committed
  std::string violation;      // what broke first; "" if every promise holds everywhere
};

Exploration explore(const Scenario& scenario);

}  // namespace hearth::cache::model
