#include "cache/format/manifest.h"

#include <algorithm>
#include <ranges>

namespace hearth::cache {

bool operator==(const Entry& left, const Entry& right) {
  return left.path == right.path && left.kind == right.kind && left.mode == right.mode && left.mtime == right.mtime &&
         left.size == right.size && left.target == right.target && std::ranges::equal(left.extents, right.extents);
}

void Entries::add(const Entry& entry) {
  const std::uint32_t parent = parent_of(entry.path);
  // Directories keep their whole path, since others refer to it.
  const bool in_parent = parent != kNoRow && entry.kind != EntryKind::directory;
  const std::size_t path_bytes = in_parent ? entry.path.name().size() : entry.path.size();
  constexpr std::size_t kMost = UINT16_MAX;
  if (path_bytes > kMost || entry.target.size() > kMost || text_.size() > UINT32_MAX - 2 * kMost ||
      extents_.size() + entry.extents.size() > UINT32_MAX || rows_.size() >= kNoRow) {
    overflow_ = true;
    return;
  }
  rows_.push_back({.size = entry.size,
                   .mtime = entry.mtime,
                   .text = static_cast<std::uint32_t>(text_.size()),
                   .first_extent = static_cast<std::uint32_t>(extents_.size()),
                   .parent = parent,
                   .path_bytes = static_cast<std::uint16_t>(path_bytes),
                   .target_bytes = static_cast<std::uint16_t>(entry.target.size()),
                   .mode = entry.mode,
                   .kind = entry.kind,
                   .in_parent = in_parent});
  if (!in_parent && !entry.path.directory().empty()) text_.append(entry.path.directory()).push_back('/');
  text_.append(entry.path.name()).append(entry.target);
  extents_.insert(extents_.end(), entry.extents.begin(), entry.extents.end());
}

// In sorted entries nearly always the last entry, or a directory that it lies in.
std::uint32_t Entries::parent_of(const Path& path) const {
  const std::string_view wanted = path.directory();
  if (wanted.empty() || rows_.empty()) return kNoRow;
  for (auto row = static_cast<std::uint32_t>(rows_.size() - 1); row != kNoRow; row = rows_[row].parent) {
    if (rows_[row].kind != EntryKind::directory || rows_[row].path_bytes < wanted.size()) continue;
    if (rows_[row].path_bytes == wanted.size() && path_of(row) == Path(wanted)) return row;
  }
  const std::optional<std::size_t> found = find(wanted);
  return found && rows_[*found].kind == EntryKind::directory ? static_cast<std::uint32_t>(*found) : kNoRow;
}

bool Entries::has_parent(std::size_t index) const {
  return rows_[index].parent != kNoRow || path_of(index).directory().empty();
}

Path Entries::path_of(std::size_t index) const {
  const Row& row = rows_[index];
  const std::string_view text = std::string_view(text_).substr(row.text, row.path_bytes);
  if (!row.in_parent) return text;
  const Row& parent = rows_[row.parent];
  return {std::string_view(text_).substr(parent.text, parent.path_bytes), text};
}

Entry Entries::operator[](std::size_t index) const {
  const Row& row = rows_[index];
  const std::size_t end = index + 1 < rows_.size() ? rows_[index + 1].first_extent : extents_.size();
  return {.path = path_of(index),
          .kind = row.kind,
          .mode = row.mode,
          .mtime = row.mtime,
          .size = row.size,
          .target = std::string_view(text_).substr(row.text + row.path_bytes, row.target_bytes),
          .extents = std::span(extents_).subspan(row.first_extent, end - row.first_extent)};
}

std::optional<std::size_t> Entries::find(const Path& path) const {
  const auto indices = std::views::iota(std::size_t{0}, rows_.size());
  const auto found = std::ranges::lower_bound(indices, path, {}, [this](std::size_t i) { return path_of(i); });
  if (found == indices.end() || path_of(*found) != path) return std::nullopt;
  return *found;
}

void Entries::reserve(std::size_t entries) {
  rows_.reserve(entries);
}

std::uint64_t Entries::memory() const {
  if (overflow_) return UINT64_MAX;
  return rows_.size() * sizeof(Row) + extents_.size() * sizeof(Extent) + text_.size();
}

std::uint64_t memory_of(const Manifest& manifest) {
  // The text of a save is too long to lie in its string.
  constexpr std::uint64_t kPackMemory = sizeof(PackName) + 32;
  const std::uint64_t entries = manifest.entries.memory();
  if (entries == UINT64_MAX) return entries;
  return entries + manifest.blocks.size() * sizeof(Block) + manifest.packs.size() * kPackMemory;
}

bool has_room(const Manifest& manifest, std::uint64_t more) {
  const std::uint64_t taken = memory_of(manifest);
  return taken <= kManifestLimit && more <= kManifestLimit - taken;
}

bool Entries::operator==(const Entries& other) const {
  if (size() != other.size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    if ((*this)[i] != other[i]) return false;
  }
  return true;
}

}  // namespace hearth::cache
