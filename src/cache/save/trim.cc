#include "cache/save/trim.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "cache/tree/index.h"
#include "cache/tree/save_plan.h"

namespace hearth::cache {

namespace {

using Inode = std::pair<std::uint64_t, std::uint64_t>;

// Directories up to this share of what may stay go as a whole.
constexpr std::uint64_t kLargeShare = 4;
constexpr std::uint32_t kUnusedForEver = UINT32_MAX;

Inode inode_of(const FileStatus& status) {
  return {status.device, status.inode};
}

class Trimmer {
 public:
  explicit Trimmer(const TrimRequest& request)
      : request_(request), found_(request.found), directories_(request.root), nodes_(found_.size()) {}

  Trim run() {
    trim_.goes.resize(found_.size());
    const std::uint64_t total = content_bytes(found_);
    excess_ = total - std::min(total, request_.most);
    if (excess_ == 0) return std::move(trim_);
    look();
    for (auto unused = static_cast<std::uint32_t>(request_.kept.size());; --unused) {
      sum_up();
      drop_units(unused);
      if (excess_ == 0 || unused == 0) break;
    }
    return std::move(trim_);
  }

 private:
  struct Node {
    std::uint32_t parent = kNone;
    std::uint32_t first_child = kNone;
    std::uint32_t next_sibling = kNone;
    std::uint32_t unused = kUnusedForEver;  // for how many builds; of a directory: the least of its files
    std::int64_t changed = 0;               // of a directory: the latest of its files
    std::uint64_t bytes = 0;
  };

  void look() {
    std::unordered_map<std::string, std::uint32_t> rows;
    for (std::uint32_t index = 0; index < found_.size(); ++index) {
      const FoundEntry entry = found_[index];
      if (!entry.path.directory().empty()) {
        const auto parent = rows.find(std::string(entry.path.directory()));
        if (parent != rows.end()) nodes_[index].parent = parent->second;
      }
      if (entry.status.is_directory()) rows.emplace(entry.path.text(), index);
      if (entry.status.is_file() && entry.has_other_names) ++names_[inode_of(entry.status)];
    }
    for (auto index = static_cast<std::uint32_t>(found_.size()); index-- > 0;) {
      std::uint32_t& first = nodes_[index].parent == kNone ? top_ : nodes_[nodes_[index].parent].first_child;
      nodes_[index].next_sibling = std::exchange(first, index);
    }
  }

  // Of what is still there. Directories stand before what lies in them.
  void sum_up() {
    for (std::uint32_t index = 0; index < nodes_.size(); ++index) {
      if (!found_.status(index).is_directory()) continue;
      nodes_[index].unused = kUnusedForEver;
      nodes_[index].changed = INT64_MIN;
      nodes_[index].bytes = 0;
    }
    for (auto index = static_cast<std::uint32_t>(found_.size()); index-- > 0;) {
      Node& node = nodes_[index];
      const FileStatus status = found_.status(index);
      if (trim_.goes[index] || status.is_symlink()) continue;
      if (status.is_file()) {
        if (node.unused == kUnusedForEver) node.unused = unused_for(index);
        node.changed = status.mtime;
        node.bytes = status.size;
      }
      if (node.parent == kNone) continue;
      Node& parent = nodes_[node.parent];
      parent.unused = std::min(parent.unused, node.unused);
      parent.changed = std::max(parent.changed, node.changed);
      parent.bytes += node.bytes;
    }
  }

  std::uint32_t unused_for(std::uint32_t index) {
    const FoundEntry entry = found_[index];
    if (was_read(entry)) return 0;
    auto builds = static_cast<std::uint32_t>(request_.kept.size());
    while (builds > 0 && !has(request_.kept[builds - 1], entry)) --builds;
    return builds;
  }

  bool was_read(const FoundEntry& entry) {
    if (request_.since == kNothingProved) return false;
    constexpr std::int64_t kSecond = 1'000'000'000;
    const Result<Directories::Place> place = directories_.place_of(entry.path);
    struct stat status{};
    return place && ::fstatat(place->directory->get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_atim.tv_sec * kSecond + status.st_atim.tv_nsec > request_.since;
  }

  static bool has(const Manifest& manifest, const FoundEntry& entry) {
    std::optional<std::size_t> known = manifest.entries.find(entry.path);
    if (known && manifest.entries[*known].kind == EntryKind::hard_link) {
      known = manifest.entries.find(manifest.entries[*known].target);
    }
    if (!known) return false;
    const Entry kept = manifest.entries[*known];
    return kept.kind == EntryKind::file && kept.size == entry.status.size && kept.mtime == entry.status.mtime;
  }

  // What was unused for so many builds, or more.
  void drop_units(std::uint32_t unused) {
    std::vector<std::uint32_t> units;
    std::vector<std::uint32_t> waiting;
    const auto add_children = [&](std::uint32_t first) {
      for (std::uint32_t child = first; child != kNone; child = nodes_[child].next_sibling) waiting.push_back(child);
    };
    add_children(top_);
    while (!waiting.empty()) {
      const std::uint32_t index = waiting.back();
      waiting.pop_back();
      const Node& node = nodes_[index];
      if (trim_.goes[index] || node.bytes == 0) continue;
      const bool small = found_.status(index).is_file() || node.bytes <= request_.most / kLargeShare;
      if (small && node.unused >= unused) {
        units.push_back(index);
      } else {
        add_children(node.first_child);
      }
    }
    // In the order of the paths where nothing else tells them apart.
    std::ranges::sort(units, {}, [this](std::uint32_t index) { return std::pair(nodes_[index].changed, index); });
    for (const std::uint32_t unit : units) {
      if (excess_ == 0) return;
      drop(unit);
    }
  }

  void drop(std::uint32_t unit) {
    std::vector<std::uint32_t> waiting = {unit};
    while (!waiting.empty()) {
      const std::uint32_t index = waiting.back();
      waiting.pop_back();
      if (trim_.goes[index]) continue;
      trim_.goes[index] = true;
      const FoundEntry entry = found_[index];
      for (std::uint32_t child = nodes_[index].first_child; child != kNone; child = nodes_[child].next_sibling) {
        waiting.push_back(child);
      }
      if (!entry.status.is_file()) continue;
      ++trim_.files;
      if (entry.has_other_names && --names_[inode_of(entry.status)] > 0) continue;
      trim_.bytes += entry.status.size;
      excess_ -= std::min(excess_, entry.status.size);
    }
  }

  const TrimRequest& request_;
  const Listing& found_;
  Directories directories_;
  std::vector<Node> nodes_;
  std::uint32_t top_ = kNone;
  std::map<Inode, std::uint32_t> names_;  // that are left, of files with several
  std::uint64_t excess_ = 0;
  Trim trim_;
};

}  // namespace

std::uint64_t content_bytes(const Listing& found) {
  std::uint64_t bytes = 0;
  std::set<Inode> known;
  for (std::size_t index = 0; index < found.size(); ++index) {
    const FoundEntry entry = found[index];
    if (!entry.status.is_file()) continue;
    if (entry.has_other_names && !known.insert(inode_of(entry.status)).second) continue;
    bytes += entry.status.size;
  }
  return bytes;
}

Trim choose_trim(const TrimRequest& request) {
  return Trimmer(request).run();
}

}  // namespace hearth::cache
