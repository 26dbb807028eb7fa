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

using Json = nlohmann::json;

Result<Json> parse_object(std::string_view text) {
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(ErrorKind::invalid, "app.json is not JSON");
  if (!document.is_object()) return fail(ErrorKind::invalid, "app.json: expected an object");
  return document;
}

// The member of an object; null where either is absent. Nothing is copied: that would recurse as deep as the text does.
const Json* member(const Json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

const Json* test_environment(const Json& document) {
  return member(member(&document, "environments"), "test");
}

// "NAME": "value" and "NAME": {"value": "…"}; what has no value is asked for elsewhere, or made up.
void add_variables(const Json* env, std::map<std::string, std::string>& variables) {
  if (env == nullptr || !env->is_object()) return;
  for (const auto& [name, entry] : env->items()) {
    const Json* value = entry.is_object() ? member(&entry, "value") : &entry;
    if (value != nullptr && value->is_string()) variables.insert_or_assign(name, value->get<std::string>());
  }
}

Result<void> take_line(const Json* scripts, const char* name, std::string& line) {
  const Json* script = member(scripts, name);
  if (script == nullptr) return {};
  if (!script->is_string()) return fail(ErrorKind::invalid, "app.json: the script '{}' must be a text", name);
  line = script->get<std::string>();
  return {};
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

Result<std::vector<std::string>> parse_app_json(std::string_view text, Purpose purpose) {
  const Json document = TRY(parse_object(text));
  std::vector<std::string> references;
  const Json* list = purpose == Purpose::test ? member(test_environment(document), "buildpacks") : nullptr;
  if (list == nullptr) list = member(&document, "buildpacks");
  if (list == nullptr || list->is_null()) return references;
  if (!list->is_array()) return fail(ErrorKind::invalid, "app.json: 'buildpacks' must be a list of {{\"url\": …}}");
  for (const Json& entry : *list) {
    const Json* url = entry.is_object() ? member(&entry, "url") : &entry;
    if (url == nullptr || !url->is_string()) {
      return fail(ErrorKind::invalid, "app.json: an entry of 'buildpacks' has no \"url\"");
    }
    references.push_back(url->get<std::string>());
  }
  return references;
}

Result<TestSettings> parse_test_settings(std::string_view text) {
  const Json document = TRY(parse_object(text));
  TestSettings settings;
  for (const Json* place : {&document, test_environment(document)}) {
    add_variables(member(place, "env"), settings.env);
    const Json* scripts = member(place, "scripts");
    TRY(take_line(scripts, "test-setup", settings.setup));
    TRY(take_line(scripts, "test", settings.test));
  }
  return settings;
}

}  // namespace hearth::buildpack
