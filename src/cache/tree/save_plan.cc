#include "cache/tree/save_plan.h"

#include <compare>
#include <map>
#include <utility>

namespace hearth::cache {

namespace {

class Planner {
 public:
  Planner(const Listing& found, const Base& base) : found_(found), base_(base) {}

  SavePlan run() {
    plan_.entries.resize(found_.size());
    const Entries& known = base_.manifest.entries;
    std::uint32_t other = 0;
    for (std::uint32_t index = 0; index < found_.size(); ++index) {
      const FoundEntry found = found_[index];
      // Both lists are sorted by path.
      std::strong_ordering order = std::strong_ordering::greater;
      while (other < known.size() && (order = known[other].path <=> found.path) < 0) {
        plan_.differs = true;
        ++other;
      }
      decide(index, found, order == 0 ? other++ : kNone);
    }
    if (other < known.size()) plan_.differs = true;
    return std::move(plan_);
  }

 private:
  void decide(std::uint32_t index, const FoundEntry& found, std::uint32_t base_entry) {
    Planned& planned = plan_.entries[index];
    planned.base = base_entry;
    planned.source = source_of(index, found, planned);
    plan_.reads = plan_.reads || planned.source == Source::disk;
    const Path target = planned.source == Source::link ? found_[planned.target].path : Path();
    if (base_entry == kNone || !same_metadata(found, planned, target, base_.manifest.entries[base_entry])) {
      plan_.differs = true;
    }
  }

  Source source_of(std::uint32_t index, const FoundEntry& found, Planned& planned) {
    if (!found.status.is_file()) return Source::none;
    if (found.has_other_names) {
      const auto [first, is_first] =
          first_names_.try_emplace(std::pair(found.status.device, found.status.inode), index);
      if (!is_first) {
        planned.target = first->second;
        return Source::link;
      }
    }
    if (found.status.size == 0) return Source::none;
    return proved_unchanged(found, base_, planned.base) ? Source::base : Source::disk;
  }

  const Listing& found_;
  const Base& base_;
  SavePlan plan_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> first_names_;
};

}  // namespace

SavePlan plan_save(const Listing& found, const Base& base) {
  return Planner(found, base).run();
}

bool proved_unchanged(const FoundEntry& found, const Base& base, std::uint32_t entry) {
  if (!base.index || entry == kNone) return false;
  const FileStatus& recorded = base.index->files[entry];
  return found.status == recorded && recorded.ctime < base.index->probe;
}

std::span<const Extent> content_of(const Manifest& manifest, std::uint32_t entry) {
  const Entry direct = manifest.entries[entry];
  if (direct.kind != EntryKind::hard_link) return direct.extents;
  const std::optional<std::size_t> target = manifest.entries.find(direct.target);
  return target ? manifest.entries[*target].extents : std::span<const Extent>();
}

EntryKind kind_of(const FoundEntry& found, const Planned& planned) {
  if (found.status.is_directory()) return EntryKind::directory;
  if (found.status.is_symlink()) return EntryKind::symlink;
  return planned.source == Source::link ? EntryKind::hard_link : EntryKind::file;
}

bool same_metadata(const FoundEntry& found, const Planned& planned, const Path& target, const Entry& base) {
  const EntryKind kind = kind_of(found, planned);
  if (kind != base.kind) return false;
  if (kind == EntryKind::hard_link) return Path(base.target) == target;
  if (found.status.mtime != base.mtime) return false;
  if (kind == EntryKind::symlink) return found.target == base.target;
  if ((found.status.mode & kModeMask) != base.mode) return false;
  return kind != EntryKind::file || found.status.size == base.size;
}

}  // namespace hearth::cache
