// What `hearth build` hands to the process that saves in the background.
#include <algorithm>

#include "build/background.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

// The parser calls itself for what lies in something; nobody writes a job so deep.
constexpr std::ptrdiff_t kMostContainers = 500;

const Registration kTarget("save_job", [](Bytes input) {
  const auto opens = [](std::byte byte) { return byte >= std::byte{0x80} && byte <= std::byte{0xdb}; };
  if (std::ranges::count_if(input, opens) > kMostContainers) return;
  const Result<build::SaveJob> job = build::decode_job(text_of(input));
  if (!job) {
    const ErrorKind kind = job.error().kind;
    expect(kind == ErrorKind::corrupt || kind == ErrorKind::invalid, "it is refused as what it is");
    return;
  }
  const std::string written = build::encode_job(*job);
  const Result<build::SaveJob> again = build::decode_job(written);
  expect(again.has_value(), "it comes back");
  expect(build::encode_job(*again) == written, "it comes back as it was written");
});

}  // namespace
}  // namespace hearth::fuzz
