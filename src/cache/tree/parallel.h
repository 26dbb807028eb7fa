// Several threads at one piece of work.
#pragma once

#include <functional>
#include <stop_token>

#include "util/error.h"

namespace hearth::cache {

// `wanted`, or for 0 what suits work that waits for a store as much as it computes. Bounded, since each thread holds
// some MiB.
unsigned thread_count(unsigned wanted);
// The same for work that waits for nothing but the processor.
unsigned core_count(unsigned wanted);

// Calls `work` once in each of `threads` threads, and returns when all have returned. The first error is the result; it
// makes the token that the others were given fire, as `stop` does. One thread is the calling one.
Result<void> in_parallel(unsigned threads, const std::stop_token& stop,
                         const std::function<Result<void>(const std::stop_token&)>& work);

}  // namespace hearth::cache
