// URLs of stores, as operators write them.
#include "store/store_url.h"

#include "fuzz/fuzz.h"
#include "store/object_store.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("store_url", [](Bytes input) {
  auto url = store::parse_store_url(text_of(input));
  if (!url) return;
  expect(!url->bucket.empty() && !url->bucket.contains('/'), "there is a bucket");
  expect(url->prefix.empty() || store::Prefix::parse(url->prefix).has_value(), "the prefix is one of keys");
  expect(url->shown().starts_with(url->scheme + "://" + url->bucket), "it is shown without its parameters");
  static_cast<void>(url->parameters.text("region"));
  static_cast<void>(url->parameters.flag("path-style"));
  static_cast<void>(url->parameters.duration("connect-timeout"));
  if (const auto number = url->parameters.number("transfers", 1, 64); number && *number) {
    expect(**number >= 1 && **number <= 64, "a number is in its range");
  }
  static_cast<void>(url->parameters.check_all_taken());
});

}  // namespace
}  // namespace hearth::fuzz
