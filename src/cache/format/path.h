// The path of an entry below the cached directory, in two pieces: millions of files share the text of few directories.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

namespace hearth::cache {

// "a/b/c" is the name "c" in the directory "a/b"; a name at the top lies in the directory "". A view: whoever made it
// keeps the text. Ordered bytewise, as the whole text.
class Path {
 public:
  Path() = default;
  // Split at the last slash. A slash in the first place stays with the name, so that no text is lost.
  template <std::convertible_to<std::string_view> Text>
  Path(const Text& whole) : Path(split(whole)) {}  // NOLINT(google-explicit-constructor): any text is a path
  Path(std::string_view directory, std::string_view name) : directory_(directory), name_(name) {}

  std::string_view directory() const { return directory_; }
  std::string_view name() const { return name_; }
  // Bytes of the whole text.
  std::size_t size() const { return directory_.size() + (directory_.empty() ? 0 : 1) + name_.size(); }
  std::string text() const;

  friend bool operator==(const Path& left, const Path& right) { return (left <=> right) == 0; }
  friend std::strong_ordering operator<=>(const Path& left, const Path& right);

 private:
  static Path split(std::string_view whole);

  std::string_view directory_;
  std::string_view name_;
};

std::ostream& operator<<(std::ostream& out, const Path& path);

}  // namespace hearth::cache

template <>
struct fmt::formatter<hearth::cache::Path> : fmt::formatter<std::string_view> {
  auto format(const hearth::cache::Path& path, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(path.text(), context);
  }
};
