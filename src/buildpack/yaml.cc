// The only file that knows yaml-cpp; its exceptions end here. Aliases need no limit of their own: nodes are shared, and
// nothing deeper than two levels is ever walked. yaml-cpp itself bounds the depth.
#include "buildpack/yaml.h"

#include <yaml-cpp/yaml.h>

#include <optional>

namespace hearth::buildpack {
namespace {

using TextMap = std::map<std::string, std::string>;

std::string position(const YAML::Mark& mark) {
  if (mark.is_null()) return "";
  return fmt::format(" (line {}, column {})", mark.line + 1, mark.column + 1);
}

std::unexpected<Error> bad(const YAML::Node& node, std::string_view expected) {
  return fail(ErrorKind::invalid, "not the YAML that was expected: {}{}", expected, position(node.Mark()));
}

Result<TextMap> text_map(const YAML::Node& node, std::string_view key) {
  TextMap values;
  if (!node || node.IsNull()) return values;
  if (!node.IsMap()) return bad(node, fmt::format("'{}' must be a map", key));
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return bad(entry.first, fmt::format("the keys of '{}' must be text", key));
    if (entry.second.IsNull()) continue;
    if (!entry.second.IsScalar())
      return bad(entry.second, fmt::format("'{}' in '{}' must be text", entry.first.Scalar(), key));
    values[entry.first.Scalar()] = entry.second.Scalar();
  }
  return values;
}

Result<Release> release_of(const YAML::Node& document) {
  if (!document || document.IsNull()) return Release{};
  if (!document.IsMap()) return bad(document, "a map with 'default_process_types' or 'config_vars'");
  Release release;
  release.config_vars = TRY(text_map(document["config_vars"], "config_vars"));
  release.default_process_types = TRY(text_map(document["default_process_types"], "default_process_types"));
  return release;
}

}  // namespace

Result<Release> parse_release(const std::string& text) {
  try {
    return release_of(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::invalid, "not YAML: {}{}", error.msg, position(error.mark));
  } catch (const std::exception& error) {
    return fail(ErrorKind::invalid, "not YAML: {}", error.what());
  }
}

std::map<std::string, std::string> parse_report(const std::string& text) {
  TextMap values;
  try {
    const YAML::Node document = YAML::Load(text);
    if (!document.IsMap()) return values;
    for (const auto& entry : document) {
      if (entry.first.IsScalar() && entry.second.IsScalar()) values[entry.first.Scalar()] = entry.second.Scalar();
    }
    return values;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace hearth::buildpack
