// Manifest objects with their checksum set right: the frame, and all behind it that is compressed.
#include "cache/format/manifest.h"

#include <algorithm>

#include "cache/format/manifest_frame.h"
#include "fuzz/fuzz.h"
#include "fuzz/manifest_expectations.h"
#include "util/hash.h"

namespace hearth::fuzz {
namespace {

constexpr std::size_t kDigestBytes = 32;

std::vector<std::byte> sealed(Bytes input) {
  std::vector<std::byte> object(input.begin(), input.end());
  if (object.size() < kDigestBytes) return object;
  const auto sum = util::sha256(input.first(input.size() - kDigestBytes)).bytes;
  std::ranges::copy(sum, object.end() - kDigestBytes);
  return object;
}

const Registration kTarget("manifest", [](Bytes input) {
  static_cast<void>(cache::decode_manifest(input));
  const std::vector<std::byte> object = sealed(input);
  const auto frame = cache::unseal(object);
  const Result<cache::Manifest> full = cache::decode_manifest(object);
  expect(!full || (frame && !frame->base), "only what stands for itself is decoded alone");
  if (full) expect_comes_back(*full);
  if (!frame || !frame->base) return;
  const Result<cache::Manifest> next = cache::decode_delta(object, delta_base(), *frame->base);
  if (next) expect_comes_back(*next);
});

}  // namespace
}  // namespace hearth::fuzz
