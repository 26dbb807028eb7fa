#include "cache/format/key.h"

#include <algorithm>

#include "util/hash.h"
#include "util/text.h"

namespace hearth::cache {

namespace {

constexpr std::ptrdiff_t kLongestKey = 512;  // in characters
// Percent-encoded, in bytes: a directory's name has at most 255, and an object's whole key 1,024.
constexpr std::size_t kLongestName = 200;
constexpr std::size_t kLongestStem = 150;
constexpr std::size_t kDigits = 32;  // of the SHA-256: 128 bits

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

// As many whole characters as fit.
std::string_view stem_of(std::string_view key) {
  std::size_t end = 0;
  std::size_t encoded = 0;
  for (std::size_t at = 0; at < key.size(); ++at) {
    if (begins_character(key[at])) end = at;
    encoded += util::percent_encode(key.substr(at, 1)).size();
    if (encoded > kLongestStem) break;
  }
  return key.substr(0, end);
}

}  // namespace

Result<std::string> app_of_key(std::string_view key) {
  if (key.empty()) return fail(ErrorKind::invalid, "the key of a cache is empty");
  if (std::ranges::count_if(key, begins_character) > kLongestKey) {
    return fail(ErrorKind::invalid, "the key of a cache has at most {} characters", kLongestKey);
  }
  if (util::percent_encode(key).size() <= kLongestName) return std::string(key);
  return fmt::format("{}~{}", stem_of(key), util::sha256(key).hex().substr(0, kDigits));
}

}  // namespace hearth::cache
