// The history of an app's builds, as the store gives it back.
#include "build/history.h"

#include <algorithm>

#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("history", [](Bytes input) {
  const Result<build::History> history = build::decode_history(text_of(input));
  if (!history) {
    const ErrorKind kind = history.error().kind;
    expect(kind == ErrorKind::corrupt || kind == ErrorKind::invalid, "it is refused as what it is");
    return;
  }
  expect(std::ranges::is_sorted(*history, {}, &build::PastBuild::build), "the oldest is the first");
  // Times are rounded, and long texts cut, when it is written.
  const std::string written = build::encode_history(*history);
  const Result<build::History> again = build::decode_history(written);
  expect(again && again->size() == history->size(), "it comes back");
  expect(build::encode_history(*again) == written, "it comes back as it was written");
  const build::History longer = build::with_build(*history, build::PastBuild());
  expect(longer.size() <= build::kMostKept, "it does not grow without an end");
});

}  // namespace
}  // namespace hearth::fuzz
