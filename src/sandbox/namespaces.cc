#include "sandbox/namespaces.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/process.h"

namespace hearth::sandbox {

namespace {

// The functions of the child make system calls only, and return 0 or errno.

int write_text(const char* path, std::string_view text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int code = ::write(fd, text.data(), text.size()) < 0 ? errno : 0;
  ::close(fd);
  return code;
}

int loopback_up() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP;
  const int code = ::ioctl(socket, SIOCSIFFLAGS, &request) != 0 ? errno : 0;
  ::close(socket);
  return code;
}

struct Maps {
  std::string user;
  std::string group;
};

int enter_own_user_namespace(const Maps& maps) {
  if (::unshare(CLONE_NEWUSER) != 0) return errno;
  if (const int code = write_text("/proc/self/setgroups", "deny")) return code;
  if (const int code = write_text("/proc/self/uid_map", maps.user)) return code;
  return write_text("/proc/self/gid_map", maps.group);
}

int build(const std::optional<Maps>& maps, const std::vector<std::string>& routes) {
  if (maps) {
    if (const int code = enter_own_user_namespace(*maps)) return code;
  }
  if (::unshare(CLONE_NEWNET) != 0) return errno;
  if (const int code = loopback_up()) return code;
  return send_routes(routes);
}

}  // namespace

std::vector<int> NetworkNamespace::to_join() const {
  std::vector<int> fds;
  if (user) fds.push_back(user->get());
  fds.push_back(net.get());
  return fds;
}

Result<NetworkNamespace> create_network_namespace(const std::vector<Prefix>& unreachable) {
  std::optional<Maps> maps;
  if (::geteuid() != 0) {
    maps = Maps{fmt::format("{0} {0} 1\n", ::geteuid()), fmt::format("{0} {0} 1\n", ::getegid())};
  }
  std::vector<std::string> routes;
  routes.reserve(unreachable.size());
  for (const Prefix& prefix : unreachable) routes.push_back(unreachable_route(prefix));
  Pipe told = TRY(make_pipe());
  Pipe release = TRY(make_pipe());
  // The child waits with its namespaces until they are held here.
  Child child = TRY(fork_child([&] {
    ::close(release.write.get());
    const int code = build(maps, routes);
    [[maybe_unused]] const ssize_t written = ::write(told.write.get(), &code, sizeof code);
    char nothing = 0;
    [[maybe_unused]] const ssize_t waited = ::read(release.read.get(), &nothing, 1);
    ::_exit(0);
  }));
  told.write.close();
  int code = EIO;
  TRY(util::read_full(told.read.get(), std::as_writable_bytes(std::span(&code, 1))));
  if (code != 0) return fail_errno(code, "making a network namespace");
  NetworkNamespace result;
  if (maps) result.user = TRY(util::open_file(fmt::format("/proc/{}/ns/user", child.pid()), O_RDONLY));
  result.net = TRY(util::open_file(fmt::format("/proc/{}/ns/net", child.pid()), O_RDONLY));
  release.write.close();
  child.wait();
  return result;
}

}  // namespace hearth::sandbox
