// "url#ref" as users and apps write it.
#include "fetch/reference.h"

#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("reference", [](Bytes input) {
  const std::string_view text = text_of(input);
  const std::string shown = fetch::masked(text);
  expect(fetch::masked(shown) == shown, "what is masked stays as it is");
  for (const fetch::Origin origin : {fetch::Origin::operator_named, fetch::Origin::app_named}) {
    const Result<fetch::Reference> reference = fetch::parse_reference(text, origin);
    if (!reference) {
      expect(reference.error().kind == ErrorKind::invalid, "the kind of error");
      continue;
    }
    const auto& [medium, location, revision] = *reference;
    expect(!location.empty() && !location.starts_with('-') && !revision.starts_with('-'), "no option");
    for (const char c : location + revision) expect(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "no control");
    if (origin == fetch::Origin::app_named) {
      expect(!location.starts_with('/') && !location.starts_with("file://"), "nothing outside the app");
    }
  }
});

}  // namespace
}  // namespace hearth::fuzz
