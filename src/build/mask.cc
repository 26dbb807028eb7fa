#include "build/mask.h"

#include <algorithm>

#include "buildpack/environment.h"
#include "util/text.h"

namespace hearth::build {

namespace {

std::string_view userinfo(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find('/'));
  const std::size_t at = authority.rfind('@');
  return at == std::string_view::npos ? std::string_view{} : authority.substr(0, at);
}

void add_secret(std::vector<std::string>& secrets, std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() >= kShortestSecret) secrets.emplace_back(line);
}

void add_lines(std::vector<std::string>& secrets, std::string_view value) {
  for (const std::string_view line : util::split(value, '\n')) add_secret(secrets, line);
}

void add_userinfo(std::vector<std::string>& secrets, std::string_view url) {
  const std::string_view info = userinfo(url);
  add_secret(secrets, info);
  if (info.contains(':')) add_secret(secrets, info.substr(info.find(':') + 1));
}

// Of "https://host/x?QUERY#main".
std::string_view query(std::string_view url) {
  const std::size_t begin = url.find('?');
  if (begin == std::string_view::npos || !url.contains("://")) return {};
  url.remove_prefix(begin + 1);
  return url.substr(0, url.rfind('#'));
}

std::uint64_t edge(std::uint32_t node, unsigned char byte) {
  return (std::uint64_t{node} << 8) | byte;
}

}  // namespace

std::vector<std::string> secrets_of(const std::map<std::string, std::string>& config_vars) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : config_vars) {
    // Our own settings: what is in force is told with them.
    if (name == "HEARTH_CACHE" || name == "HEARTH_CACHE_EXCLUDE") continue;
    if (name == "BUILDPACK_URL") {
      add_userinfo(secrets, value);
      add_secret(secrets, query(value));
    } else {
      add_lines(secrets, value);
    }
  }
  return secrets;
}

std::vector<std::string> secrets_of(const std::map<std::string, std::string>& config_vars,
                                    const std::map<std::string, std::string>& host_environment,
                                    const std::vector<std::string>& pass_env) {
  std::vector<std::string> secrets = secrets_of(config_vars);
  // Certificates' paths are among them, and have none.
  const buildpack::Environment network = buildpack::network_environment(host_environment);
  const std::map<std::string, std::string> proxies(network.begin(), network.end());
  for (const auto& [name, value] : proxies) add_userinfo(secrets, value.contains("://") ? value : "http://" + value);
  for (const std::string& name : pass_env) {
    const auto passed = host_environment.find(name);
    if (passed != host_environment.end() && !proxies.contains(name)) add_lines(secrets, passed->second);
  }
  return secrets;
}

Masker::Masker(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (!secret.empty()) add(secret);
  }
  link();
}

void Masker::add(std::string_view secret) {
  std::uint32_t node = 0;
  for (const char character : secret) {
    const auto byte = static_cast<unsigned char>(character);
    const auto [position, is_new] = children_.try_emplace(edge(node, byte), nodes_.size());
    if (is_new) {
      nodes_.push_back({.depth = nodes_[node].depth + 1});
      if (node == 0) roots_[byte] = position->second;
    }
    node = position->second;
  }
  nodes_[node].secret = nodes_[node].depth;
}

// Breadth first, so that a node's fallback, which is shallower, is complete before it is needed.
void Masker::link() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> edges(children_.begin(), children_.end());
  std::ranges::sort(edges, {}, [&](const auto& entry) { return nodes_[entry.second].depth; });
  for (const auto& [from, node] : edges) {
    const auto parent = static_cast<std::uint32_t>(from >> 8);
    const auto byte = static_cast<unsigned char>(from & 0xff);
    nodes_[node].fallback = parent == 0 ? 0 : next(nodes_[parent].fallback, byte);
    nodes_[node].secret = std::max(nodes_[node].secret, nodes_[nodes_[node].fallback].secret);
  }
}

std::uint32_t Masker::child(std::uint32_t node, unsigned char byte) const {
  if (node == 0) return roots_[byte];
  const auto position = children_.find(edge(node, byte));
  return position == children_.end() ? 0 : position->second;
}

std::uint32_t Masker::next(std::uint32_t node, unsigned char byte) const {
  while (true) {
    const std::uint32_t found = child(node, byte);
    if (found != 0 || node == 0) return found;
    node = nodes_[node].fallback;
  }
}

void Masker::give_out(Stream& stream, std::size_t count, std::string& out) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!stream.hidden[i]) {
      out += stream.held[i];
    } else if (!stream.in_secret) {
      out += kMasked;
    }
    stream.in_secret = stream.hidden[i];
  }
  stream.held.erase(0, count);
  stream.hidden.erase(stream.hidden.begin(), stream.hidden.begin() + static_cast<std::ptrdiff_t>(count));
}

// A byte is decided once it lies before the longest suffix that is a prefix of a secret: every secret that is still
// to come begins within that suffix.
void Masker::feed(Stream& stream, std::string_view bytes, std::string& out) const {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (stream.node == 0) {
      // Nothing is held here, and most bytes begin no secret.
      const std::size_t plain = at;
      while (at < bytes.size() && roots_[static_cast<unsigned char>(bytes[at])] == 0) ++at;
      if (at > plain) stream.in_secret = false;
      out += bytes.substr(plain, at - plain);
      if (at == bytes.size()) return;
    }
    const char character = bytes[at];
    const auto byte = static_cast<unsigned char>(character);
    stream.node = next(stream.node, byte);
    stream.held += character;
    stream.hidden.push_back(false);
    const std::size_t secret = nodes_[stream.node].secret;
    std::fill(stream.hidden.end() - static_cast<std::ptrdiff_t>(secret), stream.hidden.end(), true);
    const std::size_t depth = nodes_[stream.node].depth;
    if (stream.held.size() > depth) give_out(stream, stream.held.size() - depth, out);
  }
}

std::string Masker::feed(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  feed(stream_, bytes, out);
  return out;
}

std::string Masker::flush() {
  std::string out;
  give_out(stream_, stream_.held.size(), out);
  stream_ = {};
  return out;
}

std::string Masker::mask(std::string_view text) const {
  Stream stream;
  std::string out;
  feed(stream, text, out);
  give_out(stream, stream.held.size(), out);
  return out;
}

}  // namespace hearth::build
