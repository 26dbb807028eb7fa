#include "buildpack/lists.h"

#include <nlohmann/json.hpp>

#include "util/text.h"

namespace hearth::buildpack {
namespace {

std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) return line.substr(0, i);
  }
  return line;
}

}  // namespace

std::vector<std::string> parse_dot_buildpacks(std::string_view text) {
  std::vector<std::string> references;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (const std::string_view line : util::split(text, '\n')) {
    const std::string_view reference = util::trim(without_comment(line));
    if (!reference.empty()) references.emplace_back(reference);
  }
  return references;
}

Result<std::vector<std::string>> parse_app_json(std::string_view text) {
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(ErrorKind::invalid, "app.json is not JSON");
  if (!document.is_object()) return fail(ErrorKind::invalid, "app.json: expected an object");
  std::vector<std::string> references;
  const auto list = document.find("buildpacks");
  if (list == document.end() || list->is_null()) return references;
  if (!list->is_array()) return fail(ErrorKind::invalid, "app.json: 'buildpacks' must be a list of {{\"url\": …}}");
  for (const auto& entry : *list) {
    const auto url = entry.is_object() ? entry.value("url", nlohmann::json()) : entry;
    if (!url.is_string()) return fail(ErrorKind::invalid, "app.json: an entry of 'buildpacks' has no \"url\"");
    references.push_back(url.get<std::string>());
  }
  return references;
}

}  // namespace hearth::buildpack
