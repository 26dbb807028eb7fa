// Compression on all cores into a file that every gzip reader of several members reads (docs/decisions/0005).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "util/error.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::slug {

// Fills the span; fewer bytes only at the end of the input. Called by one thread at a time, not always the same one.
using ReadBytes = std::function<Result<std::size_t>(std::span<std::byte>)>;

// 1 is ISA-L's fastest with tables of its own, 2 to 9 are libdeflate's. The default makes 2 % more than `pigz -6`
// in less than half of its time (docs/performance.md).
inline constexpr int kDefaultGzipLevel = 4;

struct GzipOptions {
  int level = kDefaultGzipLevel;
  unsigned threads = 0;  // 0: one per core, which is also the most
};

struct Compressed {
  std::uint64_t bytes = 0;
  util::Digest sha256;
};

// Memory: a few MiB per thread. The bytes written do not depend on the number of threads.
Result<Compressed> gzip(const ReadBytes& read, const util::Fd& out, const GzipOptions& options,
                        const std::stop_token& stop);

}  // namespace hearth::slug
