// Process types, and the YAML that buildpacks print and the platform reads.
#include "buildpack/procfile.h"

#include "buildpack/yaml.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

namespace bp = hearth::buildpack;

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

const Registration kTarget("procfile", [](Bytes input) {
  const std::string text(text_of(input));
  const auto processes = bp::parse_procfile(text);
  for (const auto& [name, command] : processes) {
    expect(!name.empty() && !command.empty() && !command.contains('\n'), "a line is a process");
  }
  const std::string yaml = bp::write_procfile(processes);
  const auto read = bp::parse_report(yaml);
  expect(read.size() == processes.size(), "all processes are in the YAML");
  for (const auto& [name, command] : processes) {
    // What is no UTF-8 is replaced there.
    if (is_ascii(command)) expect(read.contains(name) && read.at(name) == command, "the YAML says the same");
  }
  static_cast<void>(bp::parse_release(text));
  static_cast<void>(bp::parse_report(text));
});

}  // namespace
}  // namespace hearth::fuzz
