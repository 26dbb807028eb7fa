// A file of settings.
#include <algorithm>

#include "cli/config_file.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

constexpr std::string_view kPlace = "settings.toml:";

void expect_usable(const cli::FileSetting& setting) {
  using Kind = cli::FileSetting::Kind;
  expect(setting.place.starts_with(kPlace), "its place is known");
  expect(setting.kind == Kind::list || setting.values.size() == 1, "it has one value");
  for (const std::string& value : setting.values) expect(!value.contains('\0'), "no value has a NUL byte");
  if (setting.kind == Kind::truth) expect(setting.values[0] == "true" || setting.values[0] == "false", "a truth");
  if (setting.kind != Kind::number) return;
  expect(setting.values[0].find_first_not_of("-0123456789") == std::string::npos, "a number has digits");
}

const Registration kTarget("settings", [](Bytes input) {
  const Result<cli::ConfigFile> file = cli::parse_config_file(text_of(input), "settings.toml");
  if (!file) {
    expect(file.error().kind == ErrorKind::invalid, "it is refused as what it is");
    expect(file.error().message.starts_with(kPlace), "the message names the place");
    return;
  }
  for (const cli::FileSetting& setting : file->settings) expect_usable(setting);
  for (const auto& [name, value] : file->environment) {
    expect(!name.empty() && !name.contains('=') && !name.starts_with("HEARTH_"), "it is a variable's name");
    expect(!value.contains('\0'), "no variable has a NUL byte");
  }
});

}  // namespace
}  // namespace hearth::fuzz
