#include "cache/save/assemble.h"

#include <algorithm>
#include <string>
#include <utility>

namespace hearth::cache {

namespace {

constexpr std::uint32_t kUnused = UINT32_MAX;

bool left_out(const SaveState& state, std::uint32_t index) {
  const Planned& planned = state.plan.entries[index];
  if (planned.source == Source::link) return left_out(state, planned.target);
  const std::uint32_t slot = state.content[index];
  return slot != kNone && state.contents.files[slot].state != Content::State::good;
}

// Blocks of the base by their index, new ones by their id.
std::span<const Extent> extents_of(const SaveState& state, std::uint32_t index) {
  const Planned& planned = state.plan.entries[index];
  if (const std::uint32_t slot = state.content[index]; slot != kNone)
    return state.contents.extents_of(state.contents.files[slot]);
  if (planned.source != Source::base) return {};
  return content_of(state.base.manifest, planned.base);
}

Path link_target(const SaveState& state, const Planned& planned) {
  return planned.source == Source::link ? state.found[planned.target].path : Path();
}

bool same_as_base(const SaveState& state, std::uint32_t index) {
  const Planned& planned = state.plan.entries[index];
  const Entry before = state.base.manifest.entries[planned.base];
  if (!same_metadata(state.found[index], planned, link_target(state, planned), before)) return false;
  return planned.source != Source::disk || state.contents.files[state.content[index]].same_as_base;
}

// `target` keeps the text of a hard link's.
Entry make_entry(const SaveState& state, std::uint32_t index, std::span<const Extent> extents, std::string& target) {
  const FoundEntry found = state.found[index];
  const Planned& planned = state.plan.entries[index];
  Entry entry;
  entry.path = found.path;
  entry.kind = kind_of(found, planned);
  if (entry.kind == EntryKind::hard_link) {
    target = link_target(state, planned).text();
    entry.target = target;
    return entry;
  }
  entry.mtime = found.status.mtime;
  if (entry.kind == EntryKind::symlink) {
    entry.target = found.target;
    return entry;
  }
  entry.mode = static_cast<std::uint16_t>(found.status.mode & kModeMask);
  if (entry.kind == EntryKind::file) {
    entry.size = found.status.size;
    entry.extents = extents;
  }
  return entry;
}

// Numbers the blocks and packs of the new manifest.
class Numbering {
 public:
  Numbering(const SaveState& state, const WrittenBlocks& written) : base_(state.base.manifest), written_(written) {
    std::uint32_t highest = 0;
    for (const auto& [id, block] : written.blocks) highest = std::max(highest, id + 1);
    numbers_.assign(std::max<std::size_t>(base_.blocks.size(), highest), kUnused);
    for (std::uint32_t index = 0; index < state.found.size(); ++index) {
      if (left_out(state, index)) continue;
      for (const Extent& extent : extents_of(state, index)) {
        if (extent.block != kHole) numbers_[extent.block] = 0;
      }
    }
  }

  void add_blocks_to(Manifest& manifest) {
    std::vector<std::uint32_t> old_packs(base_.packs.size(), kUnused);
    std::vector<std::uint32_t> new_packs(written_.packs.size(), kUnused);
    for (std::uint32_t id = 0; id < numbers_.size(); ++id) {
      if (numbers_[id] == kUnused) continue;
      const bool old = id < base_.blocks.size();
      Block block = old ? base_.blocks[id] : written_.blocks.at(id);
      if (block.pack != kInline) {
        std::uint32_t& number = old ? old_packs[block.pack] : new_packs[block.pack];
        if (number == kUnused) {
          number = static_cast<std::uint32_t>(manifest.packs.size());
          manifest.packs.push_back(old ? base_.packs[block.pack] : written_.packs[block.pack]);
        }
        block.pack = number;
      }
      numbers_[id] = static_cast<std::uint32_t>(manifest.blocks.size());
      manifest.blocks.push_back(block);
    }
  }

  std::uint32_t number(std::uint32_t id) const { return numbers_[id]; }

 private:
  const Manifest& base_;
  const WrittenBlocks& written_;
  std::vector<std::uint32_t> numbers_;  // by id
};

}  // namespace

std::uint64_t least_manifest_memory(const Listing& found, const SavePlan& plan) {
  std::uint64_t bytes = Entries::least_memory(found.size());
  for (std::uint32_t index = 0; index < found.size(); ++index) {
    const FoundEntry entry = found[index];
    const Planned& planned = plan.entries[index];
    bytes += entry.status.is_directory() ? entry.path.size() : entry.path.name().size();
    if (planned.source == Source::link) {
      bytes += found[planned.target].path.size();
    } else {
      bytes += entry.target.size() + (entry.status.is_file() && entry.status.size > 0 ? sizeof(Extent) : 0);
    }
  }
  return bytes;
}

Changes compare(const SaveState& state) {
  Changes changes;
  std::uint64_t kept = 0;
  for (std::uint32_t index = 0; index < state.found.size(); ++index) {
    if (left_out(state, index)) continue;
    const Planned& planned = state.plan.entries[index];
    ++changes.entries;
    const FoundEntry found = state.found[index];
    if (kind_of(found, planned) == EntryKind::file) changes.bytes += found.status.size;
    if (planned.base == kNone) {
      ++changes.added;
    } else {
      ++kept;
      if (!same_as_base(state, index)) ++changes.changed;
    }
  }
  changes.removed = state.base.manifest.entries.size() - kept;
  return changes;
}

bool uses_base_packs(const SaveState& state) {
  for (std::uint32_t index = 0; index < state.found.size(); ++index) {
    if (left_out(state, index)) continue;
    for (const Extent& extent : extents_of(state, index)) {
      if (extent.block < state.base.manifest.blocks.size()) return true;
    }
  }
  return false;
}

Manifest assemble(const SaveState& state, const WrittenBlocks& written) {
  Manifest manifest;
  manifest.root_mode = static_cast<std::uint16_t>(state.root.mode & kModeMask);
  manifest.root_mtime = state.root.mtime;
  manifest.inline_bytes = written.inline_bytes;
  Numbering numbering(state, written);
  numbering.add_blocks_to(manifest);
  manifest.entries.reserve(state.found.size());
  std::vector<Extent> extents;
  std::string target;
  for (std::uint32_t index = 0; index < state.found.size(); ++index) {
    if (left_out(state, index)) continue;
    const std::span<const Extent> own = extents_of(state, index);
    extents.assign(own.begin(), own.end());
    for (Extent& extent : extents) {
      if (extent.block != kHole) extent.block = numbering.number(extent.block);
    }
    manifest.entries.add(make_entry(state, index, extents, target));
  }
  return manifest;
}

std::vector<FileStatus> file_statuses(const SaveState& state) {
  std::vector<FileStatus> files;
  files.reserve(state.found.size());
  for (std::uint32_t index = 0; index < state.found.size(); ++index) {
    if (left_out(state, index)) continue;
    const FileStatus status = state.found.status(index);
    files.push_back(status.is_file() ? status : FileStatus());
  }
  return files;
}

}  // namespace hearth::cache
