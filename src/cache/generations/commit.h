// Reads HEAD and replaces it, by the rules of transition.h, over stores that may lose answers.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/generations/transition.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

enum class HeadState {
  absent,    // never saved, or purged from outside: there is no cache, whatever else lies there
  readable,  // HeadRead::seen is meaningful
  newer,     // a newer program's: restore nothing, save nothing
  corrupt,   // restore nothing; the next open_head() replaces it
};

struct HeadRead {
  HeadState state = HeadState::absent;
  Seen seen;               // readable: the HEAD, and the store's times
  store::Version version;  // of the object; empty if it is absent
  std::string problem;     // newer, corrupt: one line that says what is wrong
};

// HEAD as it is now. The Result's errors are the store's.
Result<HeadRead> read_head(store::ObjectStore& store, const Layout& layout, std::stop_token stop);

// What a save starts with, before its first upload: HEAD as it is now, made anew with a fresh epoch and no generation
// if it is absent or corrupt (then everything that an earlier one named is garbage). The state of a success is
// readable. A newer format, or one that only newer programs may write: invalid.
Result<HeadRead> open_head(store::ObjectStore& store, const Layout& layout, std::stop_token stop);

enum class CommitOutcome { committed, superseded };

struct CommitReport {
  CommitOutcome outcome = CommitOutcome::superseded;
  std::string reason;  // of superseded: one line
  HeadRead head;       // as it was written or read last
  int attempts = 0;    // how often HEAD was put
};

// Puts proposal.generation on top of the generations. `opened` is what open_head() returned before the first upload;
// every object of the proposal's own is stored completely. Before that, expired trash is deleted, a part of it where it
// is a lot; what the store refuses to delete is put behind the rest of the trash, and is no error. After a conflict or
// an unclear answer HEAD is read and decided upon anew, at most 8 times, with jitter; still undecided: conflict or
// unavailable. Superseded is no error: somebody purged, or collected what this save builds on.
Result<CommitReport> commit(store::ObjectStore& store, const Layout& layout, const HeadRead& opened,
                            const Proposal& proposal, std::stop_token stop);

// What a transition wants: a HEAD to put, or nothing (it is as it should be already).
using Transition = std::function<Result<std::optional<Head>>(const Seen& seen)>;

// Reads HEAD, applies the transition and puts its result, at most 8 times. Returns HEAD as it is then. An absent HEAD
// is not_found, a corrupt one corrupt, a newer one invalid; errors of the transition end it. After an unclear answer
// the transition is applied again to what is there, so it must be one that sees when it is done.
Result<HeadRead> update_head(store::ObjectStore& store, const Layout& layout, const Transition& transition,
                             std::stop_token stop);

}  // namespace hearth::cache
