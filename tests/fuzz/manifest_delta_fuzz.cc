// The inside of a delta, on a sample as its base: the harness compresses and seals it.
#include "cache/format/manifest_frame.h"
#include "fuzz/fuzz.h"
#include "fuzz/manifest_expectations.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("manifest_delta", [](Bytes input) {
  const auto object = cache::seal(input, delta_base_digest(), {}, cache::Packing::fast);
  expect(object.has_value(), "it is sealed");
  expect(!cache::decode_manifest(*object), "a delta does not stand for itself");
  const Result<cache::Manifest> manifest = cache::decode_delta(*object, delta_base(), delta_base_digest());
  if (manifest) expect_comes_back(*manifest);
});

}  // namespace
}  // namespace hearth::fuzz
