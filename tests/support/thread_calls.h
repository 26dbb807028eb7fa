// A system that has no more threads. Linking this in puts pthread_create before that of the C library, in all of the
// process.
#pragma once

namespace hearth::support {

// While it lives, so many threads more can be started by this process; then the system has none. One at a time exists
// in a process.
class FewThreads {
 public:
  explicit FewThreads(int more);
  ~FewThreads();
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;
};

}  // namespace hearth::support
