// The files in which an app says how it is to be built and run.
#include "buildpack/lists.h"

#include "buildpack/procfile.h"
#include "buildpack/yaml.h"
#include "fuzz/fuzz.h"

namespace hearth::fuzz {
namespace {

namespace bp = hearth::buildpack;

const Registration kTarget("lists", [](Bytes input) {
  const std::string text(text_of(input));
  for (const std::string& reference : bp::parse_dot_buildpacks(text)) {
    expect(!reference.empty() && !reference.contains('\n'), "a line is a reference");
  }
  static_cast<void>(bp::parse_app_json(text));
  static_cast<void>(bp::parse_app_json(text, bp::Purpose::test));
  static_cast<void>(bp::parse_test_settings(text));
  static_cast<void>(bp::parse_project_toml(text));
});

}  // namespace
}  // namespace hearth::fuzz
