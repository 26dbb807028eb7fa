// The inside of a full manifest: the harness compresses and seals it. Two bytes tell how many of the last bytes are
// inline content.
#include <algorithm>

#include "cache/format/manifest_frame.h"
#include "fuzz/fuzz.h"
#include "fuzz/manifest_expectations.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("manifest_body", [](Bytes input) {
  const std::size_t inline_bytes = std::min(take_number(input), input.size());
  const Bytes body = take(input, input.size() - inline_bytes);
  const auto object = cache::seal(body, std::nullopt, input, cache::Packing::fast);
  expect(object.has_value(), "it is sealed");
  const auto frame = cache::unseal(*object);
  expect(frame && frame->body_bytes == body.size() && std::ranges::equal(frame->inline_bytes, input), "it is unsealed");
  const Result<cache::Manifest> manifest = cache::decode_manifest(*object);
  if (manifest) expect_comes_back(*manifest);
});

}  // namespace
}  // namespace hearth::fuzz
