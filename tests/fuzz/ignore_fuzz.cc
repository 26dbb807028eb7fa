// An ignore file, and behind a NUL a path.
#include "fuzz/fuzz.h"
#include "util/ignore_rules.h"

namespace hearth::fuzz {
namespace {

const Registration kTarget("ignore", [](Bytes input) {
  const std::string_view text = text_of(input);
  const auto end = text.find('\0');
  const util::IgnoreRules rules(text.substr(0, end));
  const std::string_view path = end == std::string_view::npos ? "dir/name" : text.substr(end + 1);
  const bool other = rules.match(path, util::PathKind::other);
  const bool directory = rules.match(path, util::PathKind::directory);
  expect(!other || directory, "what names any entry names a directory, too");
  expect(!rules.empty() || !directory, "no rules name nothing");
});

}  // namespace
}  // namespace hearth::fuzz
