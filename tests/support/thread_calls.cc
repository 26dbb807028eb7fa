#include "support/thread_calls.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>

namespace hearth::support {
namespace {

std::atomic<bool> limited = false;
std::atomic<int> left = 0;

}  // namespace

FewThreads::FewThreads(int more) {
  left = more;
  limited = true;
}

FewThreads::~FewThreads() {
  limited = false;
}

}  // namespace hearth::support

// NOLINTBEGIN: this is the C library's name and signature.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                              void* argument) noexcept {
  using Function = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto* const real = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (hearth::support::limited && hearth::support::left-- <= 0) return EAGAIN;
  return real(thread, attributes, start, argument);
}
// NOLINTEND
