#include "cache/operator/usage.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "cache/generations/inspect.h"
#include "util/text.h"

namespace hearth::cache {

namespace {

// Names point into the manifest or into a path that the caller keeps.
struct Node {
  EntryKind kind = EntryKind::directory;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::map<std::string, Node, std::less<>> below;
};

// Adds the entry, whose path from the top of the tree is `rest`, to each node on its way.
void add(Node& top, std::string_view rest, const Entry& entry, unsigned depth) {
  Node* node = &top;
  for (unsigned level = 0;; ++level) {
    node->bytes += entry.size;
    ++node->entries;
    if (rest.empty()) {
      node->kind = entry.kind;
      return;
    }
    if (level == depth) return;
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, slash);
    auto child = node->below.find(name);
    if (child == node->below.end()) child = node->below.emplace(std::string(name), Node()).first;
    node = &child->second;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
}

Usage told(const std::string& path, Node& node) {
  Usage usage{.path = path, .kind = node.kind, .bytes = node.bytes, .entries = node.entries, .below = {}};
  for (auto& [name, child] : node.below) usage.below.push_back(told(path.empty() ? name : path + "/" + name, child));
  std::ranges::stable_sort(usage.below, std::ranges::greater(), &Usage::bytes);
  return usage;
}

}  // namespace

Result<Usage> usage(const Manifest& manifest, std::string_view path, unsigned depth) {
  const std::string top(entry_path(path));
  if (!top.empty() && !manifest.entries.find(top)) {
    return fail(ErrorKind::not_found, "there is no {} in this generation", util::shown(top));
  }
  Node root;
  const std::string prefix = top.empty() ? "" : top + "/";
  for (std::size_t index = 0; index < manifest.entries.size(); ++index) {
    const Entry entry = manifest.entries[index];
    const std::string text = entry.path.text();
    if (text == top) {
      add(root, "", entry, depth);
    } else if (text.starts_with(prefix)) {
      add(root, std::string_view(text).substr(prefix.size()), entry, depth);
    }
  }
  return told(top, root);
}

}  // namespace hearth::cache
