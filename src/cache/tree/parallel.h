// Several threads at one piece of work.
#pragma once

#include <functional>
#include <future>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include "util/error.h"

namespace hearth::cache {

// `wanted`, or for 0 what suits work that waits for a store as much as it computes. Bounded, since each thread holds
// some MiB.
unsigned thread_count(unsigned wanted);
// The same for work that waits for nothing but the processor.
unsigned core_count(unsigned wanted);

// Calls `work` once in each of `threads` threads, and returns when all have returned. The first error is the result; it
// makes the token that the others were given fire, as `stop` does. One of the threads is the calling one. Where so many
// are not to be had, there are fewer: each has to be able to do all of it.
Result<void> in_parallel(unsigned threads, const std::stop_token& stop,
                         const std::function<Result<void>(const std::stop_token&)>& work);

// What comes of `work`, which begins at once in a thread of its own; where none is to be had, it is done by the thread
// that asks for it.
template <class Work>
std::future<std::invoke_result_t<Work>> in_background(Work work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, std::move(work));
  }
}

}  // namespace hearth::cache
