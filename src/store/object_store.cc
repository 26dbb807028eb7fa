#include "store/object_store.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::store {
namespace {

constexpr std::size_t kLongestKey = 1024;

// Why `text` cannot be a key; empty if it can.
std::string_view objection(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.size() > kLongestKey) return "it is longer than 1,024 bytes";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) return "it has a control character";
  }
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('/', start), text.size());
    const std::string_view segment = text.substr(start, end - start);
    if (segment.empty()) return "it has an empty segment";
    if (segment == "." || segment == "..") return "it has a segment '.' or '..'";
    start = end + 1;
  }
  return {};
}

}  // namespace

Result<Key> Key::parse(std::string text) {
  const std::string_view why = objection(text);
  if (!why.empty()) return fail(ErrorKind::invalid, "'{}' is not the key of an object: {}", util::shown(text), why);
  return Key(std::move(text));
}

Result<Prefix> Prefix::parse(std::string text) {
  if (text.empty()) return Prefix();
  const std::string_view stem = std::string_view(text).substr(0, text.size() - 1);
  const std::string_view why = text.back() != '/' ? "it does not end in '/'" : objection(stem);
  if (!why.empty()) return fail(ErrorKind::invalid, "'{}' is not a prefix of keys: {}", util::shown(text), why);
  return Prefix(std::move(text));
}

Result<ByteRange> clip(ByteRange range, std::uint64_t size) {
  if (range.offset > size) {
    return fail(ErrorKind::invalid, "byte {} was asked for, and the object has {} bytes", range.offset, size);
  }
  return ByteRange{range.offset, std::min(range.length, size - range.offset)};
}

Result<void> ObjectStore::remove_each(std::span<const Key> keys, std::stop_token stop) {
  for (const Key& key : keys) TRY(within("removing " + key.text(), remove(key, stop)));
  return {};
}

}  // namespace hearth::store
