// A network namespace that outlives single commands: each command is put into it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/routes.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::sandbox {

// The namespaces live as long as these descriptors, or a process in them.
struct NetworkNamespace {
  std::optional<util::Fd> user;  // present where we are not root: the user namespace that owns the other
  util::Fd net;

  // For setns(2), in this order.
  std::vector<int> to_join() const;
};

// A new one with its loopback up and these ranges unreachable. No process inside has privileges over it; as an
// ordinary user it belongs to a user namespace above the sandbox's own.
Result<NetworkNamespace> create_network_namespace(const std::vector<Prefix>& unreachable);

}  // namespace hearth::sandbox
