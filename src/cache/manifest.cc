#include "cache/manifest.h"

#include <algorithm>

namespace hearth::cache {

bool operator==(const Entry& left, const Entry& right) {
  return left.path == right.path && left.kind == right.kind && left.mode == right.mode && left.mtime == right.mtime &&
         left.size == right.size && left.target == right.target && std::ranges::equal(left.extents, right.extents);
}

void Entries::add(const Entry& entry) {
  rows_.push_back({.text = text_.size(),
                   .size = entry.size,
                   .mtime = entry.mtime,
                   .first_extent = extents_.size(),
                   .path_bytes = static_cast<std::uint32_t>(entry.path.size()),
                   .target_bytes = static_cast<std::uint32_t>(entry.target.size()),
                   .extents = static_cast<std::uint32_t>(entry.extents.size()),
                   .mode = entry.mode,
                   .kind = entry.kind});
  text_.append(entry.path).append(entry.target);
  extents_.insert(extents_.end(), entry.extents.begin(), entry.extents.end());
}

Entry Entries::operator[](std::size_t index) const {
  const Row& row = rows_[index];
  const std::string_view text = std::string_view(text_).substr(row.text);
  return {.path = text.substr(0, row.path_bytes),
          .kind = row.kind,
          .mode = row.mode,
          .mtime = row.mtime,
          .size = row.size,
          .target = text.substr(row.path_bytes, row.target_bytes),
          .extents = std::span(extents_).subspan(row.first_extent, row.extents)};
}

std::optional<std::size_t> Entries::find(std::string_view path) const {
  const auto path_of = [this](const Row& row) { return std::string_view(text_).substr(row.text, row.path_bytes); };
  const auto found = std::ranges::lower_bound(rows_, path, {}, path_of);
  if (found == rows_.end() || path_of(*found) != path) return std::nullopt;
  return static_cast<std::size_t>(found - rows_.begin());
}

void Entries::reserve(std::size_t entries) {
  rows_.reserve(entries);
}

std::uint64_t Entries::memory() const {
  return rows_.size() * sizeof(Row) + extents_.size() * sizeof(Extent) + text_.size();
}

bool Entries::operator==(const Entries& other) const {
  if (size() != other.size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    if ((*this)[i] != other[i]) return false;
  }
  return true;
}

}  // namespace hearth::cache
