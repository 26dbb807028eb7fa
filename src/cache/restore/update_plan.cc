#include "cache/restore/update_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <compare>
#include <set>
#include <utility>

#include "cache/restore/shares.h"

namespace hearth::cache {

namespace {

// Content lies at the same place of the same block, wherever that block lies.
bool same_content(const Manifest& base, std::uint32_t base_entry, const Manifest& wanted, const Entry& entry) {
  const auto same = [&](const Extent& left, const Extent& right) {
    if (left.offset != right.offset || left.length != right.length) return false;
    if (left.block == kHole || right.block == kHole) return left.block == right.block;
    return same_stored(base.blocks[left.block], wanted.blocks[right.block]);
  };
  return std::ranges::equal(content_of(base, base_entry), entry.extents, same);
}

class UpdatePlanner {
 public:
  UpdatePlanner(const Listing& found, const Base& base, const Manifest& wanted)
      : found_(found), base_(base), wanted_(wanted), found_at_(wanted.entries.size(), kNone) {
    plan_.actions.assign(wanted.entries.size(), Action::make);
    plan_.files.resize(wanted.entries.size());
  }

  UpdatePlan run() {
    const Entries& known = base_.manifest.entries;
    std::uint32_t found = 0;
    std::uint32_t before = 0;
    // All three lists are sorted by path.
    for (std::uint32_t index = 0; index < wanted_.entries.size(); ++index) {
      const Entry entry = wanted_.entries[index];
      std::optional<FoundEntry> there;
      std::strong_ordering order = std::strong_ordering::greater;
      for (; found < found_.size(); ++found) {
        there = found_[found];
        order = there->path <=> entry.path;
        if (order >= 0) break;
        plan_.removed.push_back(found);
      }
      if (order != 0) continue;
      std::strong_ordering known_order = std::strong_ordering::greater;
      while (before < known.size() && (known_order = known[before].path <=> entry.path) < 0) ++before;
      found_at_[index] = found;
      plan_.actions[index] = decide(entry, *there, known_order == 0 ? before : kNone);
      if (plan_.actions[index] == Action::make) {
        plan_.removed.push_back(found);
      } else if (there->status.is_file()) {
        plan_.files[index] = there->status;
      }
      ++found;
    }
    for (; found < found_.size(); ++found) plan_.removed.push_back(found);
    mark_changed_directories();
    std::ranges::reverse(plan_.removed);
    return std::move(plan_);
  }

 private:
  Action decide(const Entry& entry, const FoundEntry& found, std::uint32_t base_entry) {
    switch (entry.kind) {
      case EntryKind::directory:
        return found.status.is_directory() ? keep_or_finish(entry, found) : Action::make;
      case EntryKind::symlink:
        return found.status.is_symlink() && found.target == entry.target && found.status.mtime == entry.mtime
                   ? Action::keep
                   : Action::make;
      case EntryKind::hard_link:
        return is_link_to(found, *wanted_.entries.find(entry.target)) ? Action::keep : Action::make;
      case EntryKind::file:
        break;
    }
    if (!proved_unchanged(found, base_, base_entry) || found.status.size != entry.size ||
        !same_content(base_.manifest, base_entry, wanted_, entry)) {
      return Action::make;
    }
    // What are two files now may have been one.
    if (found.has_other_names && !kept_.emplace(found.status.device, found.status.inode).second) return Action::make;
    return keep_or_finish(entry, found);
  }

  static Action keep_or_finish(const Entry& entry, const FoundEntry& found) {
    const bool same = (found.status.mode & kModeMask) == entry.mode && found.status.mtime == entry.mtime;
    return same ? Action::keep : Action::finish;
  }

  bool is_link_to(const FoundEntry& found, std::size_t target) const {
    if (!found.status.is_file() || plan_.actions[target] == Action::make) return false;
    const FileStatus other = found_.status(found_at_[target]);
    return found.status.device == other.device && found.status.inode == other.inode;
  }

  // Those in which a name comes or goes.
  void mark_changed_directories() {
    std::set<std::uint32_t> opened;
    std::string_view last;
    const auto change = [&](std::string_view directory) {
      if (directory.empty() || directory == last) return;
      last = directory;
      const std::optional<std::size_t> index = wanted_.entries.find(directory);
      if (!index || plan_.actions[*index] == Action::make) return;
      plan_.actions[*index] = Action::finish;
      const std::uint32_t found = found_at_[*index];
      if ((found_.status(found).mode & S_IRWXU) != S_IRWXU) opened.insert(found);
    };
    for (std::size_t index = 0; index < wanted_.entries.size(); ++index) {
      if (plan_.actions[index] == Action::make) change(wanted_.entries[index].path.directory());
    }
    for (const std::uint32_t found : plan_.removed) {
      change(found_[found].path.directory());
      if (found_.status(found).is_directory() && (found_.status(found).mode & S_IRWXU) != S_IRWXU) opened.insert(found);
    }
    plan_.opened.assign(opened.begin(), opened.end());
  }

  const Listing& found_;
  const Base& base_;
  const Manifest& wanted_;
  std::vector<std::uint32_t> found_at_;  // of each wanted entry
  std::set<std::pair<std::uint64_t, std::uint64_t>> kept_;
  UpdatePlan plan_;
};

std::unexpected<Error> failed(std::string_view what, const Path& path) {
  return fail_errno(errno, fmt::format("{} {}", what, path));
}

Result<void> remove(Directories& directories, const Path& path, int flags) {
  const Directories::Place place = TRY(directories.place_of(path));
  if (::unlinkat(place.directory->get(), place.name.c_str(), flags) != 0) return failed("removing", path);
  return {};
}

}  // namespace

UpdatePlan plan_update(const Listing& found, const Base& base, const Manifest& wanted) {
  return UpdatePlanner(found, base, wanted).run();
}

Result<void> clear_way(const Directories::Handle& root, const Listing& found, const UpdatePlan& plan, unsigned threads,
                       const std::stop_token& stop) {
  Directories directories(root);
  for (const std::uint32_t index : plan.opened) {
    const FoundEntry entry = found[index];
    const Directories::Place place = TRY(directories.place_of(entry.path));
    // fchmodat would follow a link that was put there since, and opening for reading needs the permission to.
    const util::Fd fd(
        ::openat(place.directory->get(), place.name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd || ::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), S_IRWXU) != 0) {
      return failed("opening", entry.path);
    }
  }
  const auto begin = [&root] { return Directories(root); };
  const auto remove_file = [&found](Directories& own, std::uint32_t index) -> Result<void> {
    return found.status(index).is_directory() ? Result<void>() : remove(own, found[index].path, 0);
  };
  TRY(in_shares(plan.removed, threads, stop, begin, remove_file));
  for (const std::uint32_t index : plan.removed) {
    if (!found.status(index).is_directory()) continue;
    TRY(check_stop(stop));
    TRY(remove(directories, found[index].path, AT_REMOVEDIR));
  }
  return {};
}

}  // namespace hearth::cache
