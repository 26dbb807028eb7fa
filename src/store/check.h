// Tries out a store: whether it can be worked with, what it honours, and how fast it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace hearth::store {

struct CheckOptions {
  std::size_t listed = 1'001;               // objects to list: one more than a page of what servers list at once
  std::size_t racers = 8;                   // writers that race
  std::size_t rounds = 5;                   // races of each kind
  std::size_t transfers = 4;                // large objects that travel at the same time
  std::uint64_t transfer_bytes = 16 << 20;  // of each of them
  std::size_t pings = 20;                   // small reads, for the latency
};

enum class Verdict {
  yes,
  no,       // works without it
  failed,   // a store without it cannot be used
  skipped,  // not found out: after something that failed, or as there is nothing to try
};

struct Finding {
  std::string subject;  // a few words
  Verdict verdict = Verdict::skipped;
  std::string detail;  // of yes: what was measured; otherwise what went wrong, or why it was not tried; may be empty
};

struct CheckReport {
  std::vector<Finding> findings;
  bool usable = false;
  CompareAndSwap compare_and_swap = CompareAndSwap::absent;
  Checksums checksums = Checksums::absent;  // absent as well where it was not found out
  std::chrono::nanoseconds latency{};       // median of a small read; 0 if it was not measured
  double write_rate = 0;                    // bytes a second, of `transfers` objects at the same time
  double read_rate = 0;
  std::chrono::seconds skew{};  // by how much the store's clock is ahead of this machine's
  std::size_t left_behind = 0;  // objects that could not be deleted
};

// Works below a prefix of its own with a random name, and deletes it in the end, also after a failure or a stop
// request.
CheckReport check(ObjectStore& store, const CheckOptions& options, std::stop_token stop);

}  // namespace hearth::store
