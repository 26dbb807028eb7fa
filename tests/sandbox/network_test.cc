// What a command reaches over the network. Every server here is the test's own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <thread>

#include "sandbox/network.h"
#include "sandbox/rooms.h"

namespace hearth::sandbox {
namespace {

using testing::HasSubstr;
using testing::Not;

// A TCP server on all addresses of this machine, which accepts by the kernel's backlog alone.
class Server {
 public:
  Server() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(socket_.get(), 16);
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }

 private:
  util::Fd socket_;
  int port_ = 0;
};

// A port that was free a moment ago.
std::uint16_t free_port() {
  return static_cast<std::uint16_t>(Server().port());
}

std::string connects(const std::string& host, int port) {
  return fmt::format("(exec 3<>/dev/tcp/{}/{}) 2>&1 && echo reached; ", host, port);
}

std::string own_address() {
  const auto addresses = own_addresses().value();
  const auto version4 = [](const Prefix& prefix) { return prefix.address.size() == 4; };
  const auto found = std::ranges::find_if(addresses, version4);
  if (found == addresses.end()) return "";
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, found->address.data(), text.data(), text.size());
  return text.data();
}

class NetworkTest : public testing::Test {
 protected:
  // Absent (and the test is skipped) where this machine cannot have a network of its own.
  std::unique_ptr<Sandbox> open(Network network, std::optional<std::uint16_t> port = std::nullopt) {
    Config config = rooms_.config(network);
    config.published_port = port;
    auto opened = sandbox::open(Level::bwrap, config);
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      return nullptr;
    }
    return std::move(*opened);
  }

  Rooms rooms_;
  Server server_;
};

TEST_F(NetworkTest, HostIsTheHosts) {
  const auto sandbox = open(Network::host);
  EXPECT_EQ(run(*sandbox, connects("127.0.0.1", server_.port())).out, "reached\n");
  EXPECT_EQ(sandbox->warning(), "");
}

TEST_F(NetworkTest, OffReachesNothingButItself) {
  const auto sandbox = open(Network::off);
  EXPECT_EQ(sandbox->warning(), "");
  std::string script = connects("127.0.0.1", server_.port()) + connects("169.254.169.254", 80);
  if (!own_address().empty()) script += connects(own_address(), server_.port());
  EXPECT_THAT(run(*sandbox, script).out, Not(HasSubstr("reached")));
  const Ran own = run(*sandbox,
                      "python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); "
                      "socket.create_connection(s.getsockname()); print(\"itself\")'");
  EXPECT_EQ(own.out, "itself\n");
}

TEST_F(NetworkTest, OnDoesNotReachThisMachine) {
  const auto sandbox = open(Network::on);
  if (!sandbox->warning().empty()) GTEST_SKIP() << sandbox->warning();
  std::string script = connects("127.0.0.1", server_.port()) + connects("10.0.2.2", server_.port());
  if (!own_address().empty()) script += connects(own_address(), server_.port());
  EXPECT_THAT(run(*sandbox, script).out, Not(HasSubstr("reached")));
  const Ran metadata = run(*sandbox, connects("169.254.169.254", 80));
  EXPECT_THAT(metadata.out, HasSubstr("No route to host"));
  // There is a way out, to addresses that are not this machine's.
  EXPECT_THAT(run(*sandbox, "cat /proc/net/route").out, HasSubstr("tap0\t00000000"));
  EXPECT_THAT(run(*sandbox, "cat /etc/resolv.conf").out, testing::StartsWith("nameserver 10."));
}

TEST_F(NetworkTest, ThePayloadHasNoPowerOverItsRoutes) {
  const auto sandbox = open(Network::on);
  if (!sandbox->warning().empty()) GTEST_SKIP() << sandbox->warning();
  const Ran ran = run(*sandbox,
                      "python3 - <<'E'\n"
                      "import fcntl, socket, struct\n"
                      "s = socket.socket()\n"
                      "try:\n"
                      "  fcntl.ioctl(s, 0x8914, struct.pack('16sH22x', b'tap0', 0))\n"
                      "  print('down')\n"
                      "except PermissionError:\n"
                      "  print('refused')\n"
                      "E");
  EXPECT_EQ(ran.out, "refused\n");
}

TEST_F(NetworkTest, AbstractSocketsAreOutOfReach) {
  const std::string name = fmt::format("hearth-test-{}", ::getpid());
  const util::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 2);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  const std::string connect = fmt::format(
      "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0{}\")' 2>&1 && echo reached", name);
  EXPECT_EQ(run(*open(Network::host), connect).out, "reached\n");
  EXPECT_THAT(run(*open(Network::off), connect).out, HasSubstr("Connection refused"));
  const auto on = open(Network::on);
  if (!on->warning().empty()) GTEST_SKIP() << on->warning();
  EXPECT_THAT(run(*on, connect).out, HasSubstr("Connection refused"));
}

// Connects from the host until somebody answers with a byte.
std::string read_from(std::uint16_t port, const std::atomic<bool>& given_up) {
  while (!given_up) {
    const util::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::array<char, 16> buffer{};
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      const ssize_t count = ::read(socket.get(), buffer.data(), buffer.size());
      if (count > 0) return {buffer.data(), static_cast<std::size_t>(count)};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return "";
}

class PublishTest : public NetworkTest, public testing::WithParamInterface<Network> {};

TEST_P(PublishTest, AnswersOnTheHostsLoopback) {
  const std::uint16_t port = free_port();
  Config config = rooms_.config(GetParam());
  config.published_port = port;
  const auto opened = sandbox::open(Level::bwrap, config);
  if (!opened) GTEST_SKIP() << opened.error().message;
  std::atomic<bool> given_up = false;
  std::string answer;
  std::stop_source stop;
  std::thread client([&] {
    answer = read_from(port, given_up);
    stop.request_stop();
  });
  const Ran ran = run(**opened,
                      bash(fmt::format("exec python3 -c 'import socket\ns = socket.create_server((\"0.0.0.0\", {}))\n"
                                       "while True:\n  c, _ = s.accept()\n  c.send(b\"hello\")\n  c.close()'",
                                       port)),
                      stop.get_token());
  given_up = true;
  client.join();
  EXPECT_EQ(answer, "hello") << ran.out;
  EXPECT_TRUE(ran.exit.stopped);
}

INSTANTIATE_TEST_SUITE_P(Networks, PublishTest, testing::Values(Network::on, Network::off, Network::host),
                         [](const auto& network) { return std::string(name(network.param)); });

TEST_F(NetworkTest, APortInUseIsToldSo) {
  Config config = rooms_.config(Network::on);
  config.published_port = static_cast<std::uint16_t>(server_.port());
  const auto opened = sandbox::open(Level::bwrap, config);
  if (opened) {
    EXPECT_NE((*opened)->warning(), "");
    return;
  }
  EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
  EXPECT_THAT(opened.error().message, HasSubstr(std::to_string(server_.port())));
}

}  // namespace
}  // namespace hearth::sandbox
