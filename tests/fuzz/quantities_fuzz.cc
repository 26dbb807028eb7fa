// Sizes and durations as people write them.
#include "fuzz/fuzz.h"
#include "util/text.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("quantities", [](Bytes input) {
  const std::string_view text = text_of(input);
  if (const auto duration = util::parse_duration(text)) {
    expect(duration->count() >= 0, "no duration is negative");
    expect(util::parse_duration(fmt::format("{}ms", duration->count())) == *duration, "it comes back");
    expect(!util::human_duration(*duration).empty(), "it is shown");
  }
  if (const auto size = util::parse_size(text)) {
    // A double has 53 bits.
    if (*size < (std::uint64_t{1} << 53)) expect(util::parse_size(std::to_string(*size)) == *size, "it comes back");
    expect(!util::human_size(*size).empty(), "it is shown");
  }
  for (const char c : util::shown(text)) expect(c >= ' ' && c <= '~', "what is shown is printable");
});

}  // namespace
}  // namespace hearth::fuzz
