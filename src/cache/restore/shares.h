// The entries of a restore, shared out to threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>

#include "cache/tree/parallel.h"
#include "util/error.h"

namespace hearth::cache {

// Cancelled once it was stopped.
inline Result<void> check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the restore was stopped");
  return {};
}

// Calls `work` with each of `indices`, in any order, and with what `begin` made for its thread. There are `threads` of
// these, or fewer where so many would have little to do. The first error ends it; cancelled.
template <class Begin, class Work>
Result<void> in_shares(std::span<const std::uint32_t> indices, unsigned threads, const std::stop_token& stop,
                       const Begin& begin, const Work& work) {
  constexpr std::size_t kShare = 64;
  std::atomic<std::size_t> next = 0;
  const auto enough = static_cast<unsigned>(std::min<std::size_t>(threads, indices.size() / kShare + 1));
  return in_parallel(enough, stop, [&](const std::stop_token& token) -> Result<void> {
    auto tools = begin();
    while (true) {
      TRY(check_stop(token));
      const std::size_t first = std::min(next.fetch_add(kShare), indices.size());
      const auto share = indices.subspan(first, std::min(kShare, indices.size() - first));
      if (share.empty()) return {};
      for (const std::uint32_t index : share) TRY(work(tools, index));
    }
  });
}

}  // namespace hearth::cache
