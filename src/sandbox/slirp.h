// The internet for a network namespace, by slirp4netns: a program that speaks TCP/IP on one side and makes ordinary
// connections on the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/namespaces.h"
#include "sandbox/process.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::sandbox {

// The namespace's own small network, "10.0.2.0/24" or another one that does not overlap what this machine uses.
Result<std::string> choose_network(const std::vector<Prefix>& taken);

// Runs until it is destroyed, or this process ends however it may.
class Slirp {
 public:
  // Returns when the network is up. The host's loopback is out of reach.
  static Result<Slirp> start(const NetworkNamespace& inside, const std::string& network,
                             std::optional<std::uint16_t> published_port);
  Slirp(Slirp&&) = default;
  Slirp& operator=(Slirp&&) = default;
  Slirp(const Slirp&) = delete;
  Slirp& operator=(const Slirp&) = delete;
  ~Slirp();

 private:
  Slirp(Child process, util::Fd lifeline) : process_(std::move(process)), lifeline_(std::move(lifeline)) {}

  std::optional<Child> process_;
  util::Fd lifeline_;  // it ends when nobody holds this any more
};

// The address of the name server that it offers in such a network; it asks those of this machine.
std::string name_server(const std::string& network);

}  // namespace hearth::sandbox
