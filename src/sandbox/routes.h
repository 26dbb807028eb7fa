// Which addresses a command with "the internet but not this machine" must not reach, and the netlink messages that
// close them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::sandbox {

// An address range; bytes in network order, 4 or 16 of them.
struct Prefix {
  std::vector<std::byte> address;
  unsigned bits = 0;

  bool operator==(const Prefix&) const = default;
};

// "169.254.0.0/16" or "fe80::/10"; without a slash one address. invalid where it is neither.
Result<Prefix> parse_prefix(const std::string& text);
// True if one of them contains the other.
bool overlap(const Prefix& a, const Prefix& b);

// Every address that this machine has now (all interfaces, loopback ranges left out), each as one host.
Result<std::vector<Prefix>> own_addresses();

// Link-local, where clouds answer with credentials, in both address families.
std::vector<Prefix> link_local();

// An RTM_NEWROUTE request (rtnetlink(7)) that makes the range unreachable; asks for an acknowledgement.
std::string unreachable_route(const Prefix& prefix);

// Sends each message and waits for its acknowledgement; the first errno, or 0. Refused IPv6 routes do not count: the
// namespace may have no IPv6. Makes system calls only.
int send_routes(const std::vector<std::string>& messages);

}  // namespace hearth::sandbox
