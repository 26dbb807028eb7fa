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

// Work in the background, begun before it is certain that anybody will want what comes of it: whoever drops this object
// stops it, and waits until it has ended.
template <class Value>
class Ahead {
 public:
  // `work` is given a token that fires when `stop` does, too.
  Ahead(const std::stop_token& stop, std::function<Value(const std::stop_token&)> work)
      : stopping_(stop, [this] { unwanted_.request_stop(); }),
        value_(in_background([work = std::move(work), token = unwanted_.get_token()] { return work(token); })) {}
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;
  ~Ahead() { unwanted_.request_stop(); }

  // Once.
  Value take() { return value_.get(); }

 private:
  std::stop_source unwanted_;
  std::stop_callback<std::function<void()>> stopping_;
  std::future<Value> value_;
};

}  // namespace hearth::cache
