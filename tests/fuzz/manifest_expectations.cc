#include "fuzz/manifest_expectations.h"

#include "cache/format_samples.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {

const cache::Manifest& delta_base() {
  static const cache::Manifest base = cache::sample::manifest();
  return base;
}

const util::Digest& delta_base_digest() {
  static const util::Digest digest = util::sha256("base");
  return digest;
}

void expect_comes_back(const cache::Manifest& manifest) {
  expect(cache::check(manifest).has_value(), "what is decoded was checked");
  for (std::size_t i = 0; i < manifest.entries.size(); ++i) {
    expect(manifest.entries.find(manifest.entries[i].path) == i, "an entry is found by its path");
  }
  const auto object = cache::encode_manifest(manifest, cache::Packing::fast);
  expect(object.has_value(), "it is encoded");
  const Result<cache::Manifest> again = cache::decode_manifest(*object);
  expect(again.has_value() && *again == manifest, "it comes back");
  const auto delta = cache::encode_delta(manifest, delta_base(), delta_base_digest());
  expect(delta.has_value() == manifest.inline_bytes.empty(), "it is a delta unless content is inside");
  if (!delta) return;
  const Result<cache::Manifest> next = cache::decode_delta(*delta, delta_base(), delta_base_digest());
  expect(next.has_value() && *next == manifest, "it comes back from a delta");
}

}  // namespace hearth::fuzz
