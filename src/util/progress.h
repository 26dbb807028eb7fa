// How far a long piece of work has come.
#pragma once

#include <atomic>
#include <cstdint>

namespace hearth::util {

// At one moment.
struct ProgressReading {
  std::uint64_t done = 0;   // bytes; may pass the total, where something has to be done again
  std::uint64_t total = 0;  // bytes; 0 while nobody knows
};

// Written by those who do the work, in steps of some kilobytes and more, and read by one who shows it. Thread-safe.
class Progress {
 public:
  // From here on it is this much, and nothing of it is done yet.
  void begin(std::uint64_t total) {
    done_ = 0;
    total_ = total;
  }
  void add(std::uint64_t bytes) { done_.fetch_add(bytes, std::memory_order_relaxed); }
  ProgressReading read() const { return {done_, total_}; }

 private:
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> total_{0};
};

}  // namespace hearth::util
