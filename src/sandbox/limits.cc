#include "sandbox/limits.h"

#include <algorithm>

#include <unistd.h>

#include "sandbox/tree.h"

namespace hearth::sandbox {

namespace {

ResourceLimit bounded(__rlimit_resource resource, std::uint64_t wanted) {
  rlimit ours{};
  ::getrlimit(resource, &ours);
  rlim_t value = wanted;
  // NOFILE cannot be raised without a privilege that containers may lack, root or not.
  if (::geteuid() != 0 || resource == RLIMIT_NOFILE) value = std::min(value, ours.rlim_max);
  return {static_cast<int>(resource), {value, value}};
}

}  // namespace

std::vector<ResourceLimit> resource_limits(const Limits& limits, uid_t user) {
  return {
      bounded(RLIMIT_FSIZE, limits.file_bytes),
      bounded(RLIMIT_NOFILE, limits.open_files),
      bounded(RLIMIT_NPROC, limits.processes + threads_of(user)),
      bounded(RLIMIT_CORE, 0),
  };
}

}  // namespace hearth::sandbox
