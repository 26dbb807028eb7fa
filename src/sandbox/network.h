// What a sandbox's commands can reach.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/namespaces.h"
#include "sandbox/sandbox.h"
#include "sandbox/slirp.h"

namespace hearth::sandbox {

// Lives as long as the sandbox; its namespace and its helper process end with it.
class Connection {
 public:
  // on: where a namespace or slirp4netns cannot be had, the host's network with a warning. off: denied where no
  // namespace can be had.
  static Result<Connection> open(Network wanted, std::optional<std::uint16_t> published_port);

  // Namespaces for a command to join before anything else; empty: the host's network.
  std::vector<int> to_join() const;
  // The name server to use inside instead of the machine's; absent: the machine's.
  const std::optional<std::string>& name_server() const { return name_server_; }
  // One line, or empty.
  const std::string& warning() const { return warning_; }

 private:
  std::optional<NetworkNamespace> namespace_;
  std::optional<Slirp> slirp_;  // after the namespace: ends before it
  std::optional<std::string> name_server_;
  std::string warning_;
};

}  // namespace hearth::sandbox
