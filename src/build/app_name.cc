#include <algorithm>

#include "build/build.h"

namespace hearth::build {

namespace {

constexpr std::size_t kLongestName = 100;

bool is_allowed(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '-' || character == '_' || character == '.';
}

}  // namespace

Result<void> check_app_name(std::string_view app) {
  if (app.empty()) return fail(ErrorKind::invalid, "the app's name is empty: give one with --app NAME");
  const bool usable = app.size() <= kLongestName && app != "." && app != ".." && std::ranges::all_of(app, is_allowed);
  if (usable) return {};
  std::string printable(app.substr(0, kLongestName));
  std::ranges::replace_if(printable, [](unsigned char byte) { return byte < 0x20 || byte >= 0x7f; }, '?');
  return fail(ErrorKind::invalid,
              "'{}' cannot be an app's name: use 1 to {} letters, digits, '-', '_' and '.', and not '.' or '..'",
              printable, kLongestName);
}

}  // namespace hearth::build
