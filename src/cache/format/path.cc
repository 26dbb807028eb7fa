#include "cache/format/path.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <span>

namespace hearth::cache {

namespace {

std::strong_ordering compare(std::string_view left, std::string_view right) {
  return left.compare(right) <=> 0;
}

// The pieces of a path, in the order of its text.
std::array<std::string_view, 3> pieces(const Path& path) {
  return {path.directory(), path.directory().empty() ? std::string_view() : std::string_view("/"), path.name()};
}

// Takes away what is empty in front.
std::span<std::string_view> trimmed(std::span<std::string_view> pieces) {
  while (!pieces.empty() && pieces.front().empty()) pieces = pieces.subspan(1);
  return pieces;
}

}  // namespace

Path Path::split(std::string_view whole) {
  const std::size_t slash = whole.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return {{}, whole};
  return {whole.substr(0, slash), whole.substr(slash + 1)};
}

std::string Path::text() const {
  std::string text;
  text.reserve(size());
  text.append(directory_);
  if (!directory_.empty()) text.push_back('/');
  return text.append(name_);
}

std::strong_ordering operator<=>(const Path& left, const Path& right) {
  if (left.directory_ == right.directory_) return compare(left.name_, right.name_);
  std::array<std::string_view, 3> left_pieces = pieces(left);
  std::array<std::string_view, 3> right_pieces = pieces(right);
  std::span<std::string_view> one = trimmed(left_pieces);
  std::span<std::string_view> other = trimmed(right_pieces);
  while (!one.empty() && !other.empty()) {
    const std::size_t count = std::min(one.front().size(), other.front().size());
    const std::strong_ordering order = compare(one.front().substr(0, count), other.front().substr(0, count));
    if (order != 0) return order;
    one.front().remove_prefix(count);
    other.front().remove_prefix(count);
    one = trimmed(one);
    other = trimmed(other);
  }
  return !one.empty() <=> !other.empty();
}

std::ostream& operator<<(std::ostream& out, const Path& path) {
  return out << path.text();
}

}  // namespace hearth::cache
