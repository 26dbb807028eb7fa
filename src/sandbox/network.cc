#include "sandbox/network.h"

#include <algorithm>

namespace hearth::sandbox {

std::vector<int> Connection::to_join() const {
  return namespace_ ? namespace_->to_join() : std::vector<int>{};
}

Result<Connection> Connection::open(Network wanted, std::optional<std::uint16_t> published_port) {
  Connection connection;
  if (wanted == Network::host) return connection;
  const auto isolate = [&]() -> Result<void> {
    std::vector<Prefix> closed = TRY(own_addresses());
    const std::string network = TRY(choose_network(closed));
    std::ranges::copy(link_local(), std::back_inserter(closed));
    // A port is published through slirp4netns; without a name server and a way out it is all that it does.
    const bool linked = wanted == Network::on || published_port.has_value();
    if (wanted == Network::off && linked) {
      closed = {TRY(parse_prefix("0.0.0.0/1")), TRY(parse_prefix("128.0.0.0/1"))};
      closed.push_back(TRY(parse_prefix(sandbox::name_server(network))));
    }
    connection.namespace_ = TRY(create_network_namespace(closed));
    if (linked) connection.slirp_ = TRY(Slirp::start(*connection.namespace_, network, published_port));
    if (linked) connection.name_server_ = sandbox::name_server(network);
    return {};
  };
  Result<void> isolated = isolate();
  if (isolated) return connection;
  if (wanted == Network::off)
    return within("cutting the network off", Result<Connection>(std::unexpected(isolated.error())));
  // A port that is in use is the caller's to know.
  if (isolated.error().kind == ErrorKind::invalid) return std::unexpected(isolated.error());
  Connection fallback;
  fallback.warning_ = fmt::format(
      "the build shares this machine's network, its loopback and metadata service included ({}); "
      "docs/security.md tells what the platform should block",
      isolated.error().message);
  return fallback;
}

}  // namespace hearth::sandbox
