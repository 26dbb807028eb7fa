#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

Result<void> load_content(const std::filesystem::path& root, Loaded& entry) {
  const std::filesystem::path path = root / entry.node.path;
  if (S_ISREG(entry.node.status.st_mode) && entry.first.empty()) {
    const util::Fd fd = TRY(util::open_file(path, O_RDONLY | O_NOFOLLOW));
    entry.content.resize(static_cast<std::size_t>(entry.node.status.st_size));
    entry.content.resize(TRY(util::read_full(fd.get(), std::as_writable_bytes(std::span(entry.content)))));
  } else if (S_ISLNK(entry.node.status.st_mode)) {
    std::array<char, PATH_MAX> target{};
    const ssize_t bytes = ::readlink(path.c_str(), target.data(), target.size());
    if (bytes < 0) return fail_errno(errno, path.native());
    entry.content.assign(target.data(), static_cast<std::size_t>(bytes));
  }
  return {};
}

}  // namespace

Result<std::vector<Loaded>> load(const std::filesystem::path& root) {
  std::vector<Node> nodes = TRY(walk(root));
  std::ranges::sort(nodes, {}, &Node::path);
  std::vector<Loaded> entries;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names;
  for (Node& node : nodes) {
    Loaded entry{.node = std::move(node), .content = {}, .first = {}};
    const struct stat& status = entry.node.status;
    if (S_ISREG(status.st_mode) && status.st_nlink > 1) {
      const auto [name, is_first] = first_names.try_emplace({status.st_dev, status.st_ino}, entry.node.path);
      if (!is_first) entry.first = name->second;
    }
    entries.push_back(std::move(entry));
  }
  TRY(for_each(entries.size(), [&](std::size_t i) { return load_content(root, entries[i]); }));
  return entries;
}

}  // namespace hearth::bench
