// HEAD: any text, sealed with its checksum.
#include "cache/format/head.h"

#include "fuzz/fuzz.h"
#include "util/hash.h"

namespace hearth::fuzz {
namespace {

using cache::Head;

// The input without what seals it, or without a '}' at its end, sealed anew.
std::string sealed(std::string_view text) {
  if (const auto seal = text.rfind(",\"sha256\":\""); seal != std::string_view::npos) text = text.substr(0, seal);
  if (text.ends_with('}')) text.remove_suffix(1);
  return fmt::format("{},\"sha256\":\"{}\"}}\n", text, util::sha256(text).hex());
}

void look_up(const Head& head) {
  for (const cache::Generation& generation : head.generations) {
    expect(cache::find_generation(head, generation.id) != nullptr, "a generation is found");
    const auto objects = cache::objects_of(head, generation);
    expect(objects.size() == generation.manifests.size() + generation.packs.size(), "all objects are named");
    for (const cache::ObjectName& object : objects) {
      expect(cache::ObjectName::parse(object.text()) == object, "an object's name comes back");
    }
    cache::names_bad(head, generation);
  }
}

const Registration kTarget("head", [](Bytes input) {
  static_cast<void>(cache::decode_head(text_of(input)));
  const Result<Head> head = cache::decode_head(sealed(text_of(input)));
  if (!head) {
    expect(head.error().kind == ErrorKind::corrupt || head.error().kind == ErrorKind::invalid, "the kind of error");
    return;
  }
  look_up(*head);
  const std::string again = cache::encode_head(*head);
  const Result<Head> decoded = cache::decode_head(again);
  expect(decoded.has_value(), "what was encoded is decoded");
  expect(*decoded == *head, "the same HEAD");
  expect(cache::encode_head(*decoded) == again, "the same bytes");
});

}  // namespace
}  // namespace hearth::fuzz
