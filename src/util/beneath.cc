#include "util/beneath.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "util/text.h"

namespace hearth::util {

namespace {

constexpr int kRaces = 128;

// One name after the other.
Fd walk_beneath(int directory, const std::string& path, int flags) {
  std::vector<std::string_view> names;
  for (const std::string_view name : split(path, '/')) {
    if (!name.empty() && name != ".") names.push_back(name);
    if (name == ".." || path.starts_with('/')) {
      errno = EXDEV;
      return {};
    }
  }
  if (names.empty()) names.emplace_back(".");
  Fd here;
  for (const std::string_view& name : names) {
    const int step = &name == &names.back() ? flags : O_PATH | O_DIRECTORY;
    const int at = here ? here.get() : directory;
    here = Fd(::openat(at, std::string(name).c_str(), step | O_NOFOLLOW | O_CLOEXEC));
    if (!here) return {};
  }
  return here;
}

}  // namespace

Fd open_beneath(int directory, const std::string& path, int flags, Links links) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links == Links::none ? RESOLVE_NO_SYMLINKS : 0);
  long fd = -1;
  // Somebody renamed or mounted something anywhere while ".." was followed.
  for (int race = 0; race == 0 || (fd < 0 && errno == EAGAIN && race < kRaces); ++race) {
    fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
  }
  if (fd >= 0) return Fd(static_cast<int>(fd));
  if (errno != ENOSYS && errno != EPERM) return {};
  return walk_beneath(directory, path, flags);
}

}  // namespace hearth::util
