// What went wrong without ending a transfer, for people.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace hearth::cache {

// Keeps the first messages and counts the rest, so that a million unreadable files are still a short list.
// Thread-safe.
class Warnings {
 public:
  void add(std::string message);
  // All messages, and one that tells how many more there were; empties the list.
  std::vector<std::string> take();

 private:
  std::mutex mutex_;
  std::vector<std::string> messages_;
  std::uint64_t dropped_ = 0;
};

}  // namespace hearth::cache
