#include "cache/tree/warnings.h"

#include <fmt/format.h>

#include <utility>

namespace hearth::cache {

namespace {
constexpr std::size_t kKept = 20;
}

void Warnings::add(std::string message) {
  const std::lock_guard guard(mutex_);
  if (messages_.size() < kKept) {
    messages_.push_back(std::move(message));
  } else {
    ++dropped_;
  }
}

std::vector<std::string> Warnings::take() {
  const std::lock_guard guard(mutex_);
  if (dropped_ > 0) messages_.push_back(fmt::format("and {} more warnings of this kind", std::exchange(dropped_, 0)));
  return std::exchange(messages_, {});
}

}  // namespace hearth::cache
