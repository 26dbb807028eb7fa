#include "sandbox/routes.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <span>

namespace hearth::sandbox {

namespace {

struct RouteRequest {
  nlmsghdr header;
  rtmsg route;
  rtattr attribute;
  std::array<std::byte, 16> destination;
};

Prefix one_host(const void* address, std::size_t length) {
  const auto* bytes = static_cast<const std::byte*>(address);
  return {{bytes, bytes + length}, static_cast<unsigned>(length * 8)};
}

bool bit(const Prefix& prefix, unsigned index) {
  const auto byte = std::to_integer<unsigned>(prefix.address[index / 8]);
  return ((byte >> (7 - index % 8)) & 1U) != 0;
}

bool acknowledged(int socket, int& code) {
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> rest;
  } answer{};
  if (::recv(socket, &answer, sizeof answer, 0) < 0) {
    code = errno;
    return false;
  }
  code = answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
  return code == 0;
}

}  // namespace

Result<Prefix> parse_prefix(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  std::array<std::byte, 16> bytes{};
  const int family = address.contains(':') ? AF_INET6 : AF_INET;
  const unsigned most = family == AF_INET6 ? 128 : 32;
  if (::inet_pton(family, address.c_str(), bytes.data()) != 1) {
    return fail(ErrorKind::invalid, "not an address: {}", text);
  }
  Prefix prefix{{bytes.begin(), bytes.begin() + most / 8}, most};
  if (slash == std::string::npos) return prefix;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data() + slash + 1, end, prefix.bits);
  if (error != std::errc() || parsed != end || prefix.bits > most) {
    return fail(ErrorKind::invalid, "not an address range: {}", text);
  }
  return prefix;
}

bool overlap(const Prefix& a, const Prefix& b) {
  if (a.address.size() != b.address.size()) return false;
  for (unsigned i = 0; i < std::min(a.bits, b.bits); ++i) {
    if (bit(a, i) != bit(b, i)) return false;
  }
  return true;
}

Result<std::vector<Prefix>> own_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return fail_errno(errno, "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, ::freeifaddrs);
  std::vector<Prefix> found;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
      if ((ntohl(address->s_addr) >> 24) != IN_LOOPBACKNET) found.push_back(one_host(address, 4));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
      if (!IN6_IS_ADDR_LOOPBACK(address) && !IN6_IS_ADDR_LINKLOCAL(address)) found.push_back(one_host(address, 16));
    }
  }
  return found;
}

std::vector<Prefix> link_local() {
  return {parse_prefix("169.254.0.0/16").value(), parse_prefix("fe80::/10").value()};
}

std::string unreachable_route(const Prefix& prefix) {
  RouteRequest request{};
  const std::size_t length = prefix.address.size();
  request.header.nlmsg_len = static_cast<std::uint32_t>(offsetof(RouteRequest, destination) + length);
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  request.route.rtm_family = length == 16 ? AF_INET6 : AF_INET;
  request.route.rtm_dst_len = static_cast<unsigned char>(prefix.bits);
  request.route.rtm_table = RT_TABLE_MAIN;
  request.route.rtm_protocol = RTPROT_STATIC;
  request.route.rtm_scope = RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_UNREACHABLE;
  request.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
  request.attribute.rta_type = RTA_DST;
  std::ranges::copy(prefix.address, request.destination.begin());
  return {reinterpret_cast<const char*>(&request), request.header.nlmsg_len};
}

int send_routes(const std::vector<std::string>& messages) {
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (socket < 0) return errno;
  int result = 0;
  for (const std::string& message : messages) {
    int code = 0;
    if (::send(socket, message.data(), message.size(), 0) < 0) {
      code = errno;
    } else {
      acknowledged(socket, code);
    }
    const bool version6 = message.size() > offsetof(RouteRequest, destination) + 4;
    if (code != 0 && !version6 && result == 0) result = code;
  }
  ::close(socket);
  return result;
}

}  // namespace hearth::sandbox
