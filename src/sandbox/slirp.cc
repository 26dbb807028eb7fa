#include "sandbox/slirp.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

namespace hearth::sandbox {

namespace {

constexpr std::chrono::milliseconds kReadyWithin{10000};
constexpr std::array<const char*, 4> kNetworks{"10.0.2.0/24", "10.153.77.0/24", "172.29.201.0/24", "192.168.213.0/24"};

// "10.0.2.0/24", 3 → "10.0.2.3"
std::string host_in(const std::string& network, int number) {
  return fmt::format("{}.{}", network.substr(0, network.rfind('.')), number);
}

// The last line that the program wrote to its stderr before it ended.
std::string last_line(int fd) {
  std::string text(4096, '\0');
  const auto count = util::read_full(fd, std::as_writable_bytes(std::span(text)));
  text.resize(count ? *count : 0);
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

Result<void> wait_until_ready(int ready, int stderr_read) {
  pollfd waiting{ready, POLLIN, 0};
  const int count = ::poll(&waiting, 1, static_cast<int>(kReadyWithin.count()));
  char byte = 0;
  if (count > 0 && ::read(ready, &byte, 1) == 1) return {};
  if (count == 0)
    return fail(ErrorKind::unavailable, "slirp4netns did not get ready within {} ms", kReadyWithin.count());
  const std::string reason = last_line(stderr_read);
  return fail(ErrorKind::denied, "{}", reason.empty() ? "slirp4netns ended at once" : reason);
}

Result<void> publish(const std::filesystem::path& socket_path, const std::string& guest, std::uint16_t port) {
  const util::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.native().size() >= sizeof address.sun_path) {
    return fail(ErrorKind::invalid, "{} is too long for a socket", socket_path.native());
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.native().size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_errno(errno, "connecting to slirp4netns");
  }
  const nlohmann::json request{{"execute", "add_hostfwd"},
                               {"arguments",
                                {{"proto", "tcp"},
                                 {"host_addr", "127.0.0.1"},
                                 {"host_port", port},
                                 {"guest_addr", guest},
                                 {"guest_port", port}}}};
  TRY(util::write_full(socket.get(), request.dump()));
  ::shutdown(socket.get(), SHUT_WR);
  std::string answer(4096, '\0');
  answer.resize(TRY(util::read_full(socket.get(), std::as_writable_bytes(std::span(answer)))));
  const nlohmann::json parsed = nlohmann::json::parse(answer, nullptr, false);
  if (parsed.is_object() && parsed.contains("return")) return {};
  return fail(ErrorKind::invalid, "port {} of 127.0.0.1 cannot be published; is it in use? Choose another --port",
              port);
}

}  // namespace

Result<std::string> choose_network(const std::vector<Prefix>& taken) {
  for (const char* network : kNetworks) {
    const Prefix prefix = TRY(parse_prefix(network));
    const auto meets = [&](const Prefix& other) { return overlap(prefix, other); };
    if (std::ranges::none_of(taken, meets)) return std::string(network);
  }
  return fail(ErrorKind::unavailable, "every network that slirp4netns could use is in use here");
}

std::string name_server(const std::string& network) {
  return host_in(network, 3);
}

Result<Slirp> Slirp::start(const NetworkNamespace& inside, const std::string& network,
                           std::optional<std::uint16_t> published_port) {
  const auto program = find_program("slirp4netns");
  if (!program) return fail(ErrorKind::not_found, "slirp4netns is not installed");
  // It says no more than "child failed" itself.
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return fail_errno(errno, "/dev/net/tun");
  Pipe ready = TRY(make_pipe());
  Pipe lifeline = TRY(make_pipe());
  Pipe errors = TRY(make_pipe());
  std::optional<util::TempDir> api;
  Launch launch;
  launch.programs = {*program};
  launch.argv = {"slirp4netns",
                 "--configure",
                 "--mtu=65520",
                 "--disable-host-loopback",
                 "--enable-sandbox",
                 "--enable-seccomp",
                 fmt::format("--cidr={}", network),
                 fmt::format("--ready-fd={}", ready.write.get()),
                 fmt::format("--exit-fd={}", lifeline.read.get()),
                 "--netns-type=path"};
  if (inside.user) launch.argv.push_back(fmt::format("--userns-path=/proc/self/fd/{}", inside.user->get()));
  if (published_port) {
    api = TRY(util::TempDir::create(std::filesystem::temp_directory_path(), "hearth-net-"));
    launch.argv.push_back(fmt::format("--api-socket={}", (api->path() / "api").native()));
  }
  launch.argv.push_back(fmt::format("/proc/self/fd/{}", inside.net.get()));
  launch.argv.emplace_back("tap0");
  launch.environment = {"PATH=/usr/bin:/bin"};
  launch.kept = inside.to_join();
  launch.kept.insert(launch.kept.end(), {ready.write.get(), lifeline.read.get()});
  launch.standard[2] = errors.write.get();
  Child process = TRY(sandbox::start(launch));
  ready.write.close();
  lifeline.read.close();
  errors.write.close();
  TRY(wait_until_ready(ready.read.get(), errors.read.get()));
  if (published_port) TRY(publish(api->path() / "api", host_in(network, 100), *published_port));
  return Slirp(std::move(process), std::move(lifeline.write));
}

Slirp::~Slirp() = default;

}  // namespace hearth::sandbox
