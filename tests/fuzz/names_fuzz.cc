// Names of objects and keys, and how they are encoded.
#include <algorithm>

#include "cache/format/key.h"
#include "cache/format/layout.h"
#include "fuzz/fuzz.h"
#include "util/text.h"

namespace hearth::fuzz {
namespace {

void expect_encodes(std::string_view text) {
  const std::string encoded = util::percent_encode(text);
  const auto decoded = util::percent_decode(encoded);
  expect(decoded && *decoded == text, "what was encoded is decoded");
  expect(encoded != "." && encoded != ".." && !encoded.contains('/'), "it is a segment of a path");
  const auto plain = util::percent_decode(text);
  if (plain) expect(util::percent_decode(util::percent_encode(*plain)) == *plain, "it comes back");
}

void expect_layout(const cache::Layout& layout, std::string_view text) {
  if (const auto object = cache::ObjectName::parse(text)) {
    expect(object->text() == text, "an object has one name");
    expect(layout.parse(layout.key(*object)) == object, "its key tells the object");
  }
  if (const auto key = store::Key::parse(std::string(text))) {
    expect(!text.empty() && text.size() <= 1024 && !text.starts_with('/') && !text.ends_with('/'), "a key's form");
    if (const auto object = layout.parse(*key)) expect(layout.key(*object) == *key, "a key is of one object");
    if (const auto name = cache::Layout::name_of(*key)) {
      expect(cache::Layout::of(*name).value().head() == *key, "HEAD's key tells the cache");
    }
  }
  static_cast<void>(store::Prefix::parse(std::string(text)));
}

const Registration kTarget("names", [](Bytes input) {
  const std::string_view text = text_of(input);
  expect_encodes(text);
  if (const auto app = cache::app_of_key(text)) {
    expect(util::percent_encode(*app).size() <= 255, "a key's name is a file's name");
    const auto layout = cache::Layout::of({*app, "heroku-24", "amd64"});
    expect(layout && cache::Layout::name_of(layout->head())->app == *app, "any key can be a cache's");
  }
  static const cache::Layout kSample = cache::Layout::of({"demo", "heroku-24", "amd64"}).value();
  expect_layout(kSample, text);
  const auto parts = util::split(text, '\n');
  if (parts.size() < 3) return;
  const auto layout = cache::Layout::of({std::string(parts[0]), std::string(parts[1]), std::string(parts[2])});
  if (!layout) return;
  expect(cache::Layout::name_of(layout->head()) == layout->name(), "HEAD's key tells the cache");
  expect_layout(*layout, parts.back());
});

}  // namespace
}  // namespace hearth::fuzz
