// The only file that knows toml++; its exceptions end here.
#include <toml++/toml.h>

#include "buildpack/lists.h"

namespace hearth::buildpack {
namespace {

Result<std::string> uri_of(const toml::node& entry) {
  const toml::table* table = entry.as_table();
  if (table == nullptr) return fail(ErrorKind::invalid, "project.toml: a buildpack must be a table with 'uri'");
  if (const auto uri = (*table)["uri"].value<std::string>()) return *uri;
  if (const auto id = (*table)["id"].value<std::string>()) {
    return fail(
        ErrorKind::invalid,
        "project.toml names '{}' by id alone, which is a Cloud Native Buildpack, not supported; give the uri of a "
        "classic buildpack (https://…), or name one with --buildpack",
        *id);
  }
  return fail(ErrorKind::invalid, "project.toml: line {}: a buildpack without 'uri'", entry.source().begin.line);
}

Result<std::vector<std::string>> uris(const toml::table& document) {
  std::vector<std::string> references;
  for (const char* path : {"io.buildpacks.group", "build.buildpacks"}) {
    const toml::array* list = document.at_path(path).as_array();
    if (list == nullptr) continue;
    for (const toml::node& entry : *list) {
      auto uri = TRY(uri_of(entry));
      references.push_back(std::move(uri));
    }
    if (!references.empty()) break;
  }
  return references;
}

}  // namespace

Result<std::vector<std::string>> parse_project_toml(std::string_view text) {
  try {
    return uris(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return fail(ErrorKind::invalid, "project.toml: line {}: {}", error.source().begin.line, error.description());
  } catch (const std::exception& error) {
    return fail(ErrorKind::invalid, "project.toml: {}", error.what());
  }
}

}  // namespace hearth::buildpack
