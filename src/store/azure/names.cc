#include "store/azure/names.h"

#include <charconv>

namespace hearth::store::azure {
namespace {

// Each escape begins where what it stands for sorts, and what sorts there itself is escaped too:
//   [ \                 [5B [5C
//   ~ and above         ~7E … ~FF
//   '.' before '/' 0    .0! .00 (and the '/' follows)
//   '.' before ' '      ". ~"
//   '.' at the end      ". !"
constexpr char kBrackets = '[';
constexpr char kAbove = '~';
constexpr std::string_view kDotSlash = ".0!";
constexpr std::string_view kDotZero = ".00";
constexpr std::string_view kDotSpace = ". ~";
constexpr std::string_view kDotEnd = ". !";

std::string escaped(char escape, char byte) {
  return fmt::format("{}{:02X}", escape, static_cast<unsigned char>(byte));
}

// Of the bytes after a '.', which are put behind it, how many were used up by this is in `used`.
std::string_view after_dot(std::string_view rest, std::size_t& used) {
  used = rest.empty() || rest[0] == '/' ? 0 : 1;
  if (rest.empty()) return kDotEnd;
  if (rest[0] == '/') return kDotSlash;
  if (rest[0] == '0') return kDotZero;
  if (rest[0] == ' ') return kDotSpace;
  used = 0;
  return ".";
}

}  // namespace

std::string blob_name(std::string_view key) {
  std::string name;
  name.reserve(key.size());
  for (std::size_t at = 0; at < key.size(); ++at) {
    const char byte = key[at];
    if (byte == '.') {
      std::size_t used = 0;
      name += after_dot(key.substr(at + 1), used);
      at += used;
    } else if (byte == '[' || byte == '\\') {
      name += escaped(kBrackets, byte);
    } else if (static_cast<unsigned char>(byte) >= static_cast<unsigned char>(kAbove)) {
      name += escaped(kAbove, byte);
    } else {
      name += byte;
    }
  }
  return name;
}

Result<std::string> key_of_blob(std::string_view name) {
  std::string key;
  key.reserve(name.size());
  for (std::size_t at = 0; at < name.size(); ++at) {
    const std::string_view three = name.substr(at, 3);
    key += name[at];
    if (name[at] == kBrackets || name[at] == kAbove) {
      unsigned value = 0;
      std::from_chars(three.data() + 1, three.data() + three.size(), value, 16);
      key.back() = static_cast<char>(value);
      at += 2;
    } else if (three == kDotEnd || three == kDotSlash) {
      at += 2;
    } else if (three == kDotZero || three == kDotSpace) {
      key += three[1];
      at += 2;
    }
  }
  // One check for all that could be wrong with an escape.
  if (blob_name(key) != name) return fail(ErrorKind::invalid, "a blob's name that stands for no key");
  return key;
}

}  // namespace hearth::store::azure
