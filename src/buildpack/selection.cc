#include "buildpack/selection.h"

#include "buildpack/app_files.h"
#include "buildpack/lists.h"
#include "buildpack/resolve.h"
#include "util/text.h"

namespace hearth::buildpack {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 20;

struct Place {
  Named named;
  const char* file;
  Result<std::vector<std::string>> (*parse)(std::string_view text, Purpose purpose);
};

Result<std::vector<std::string>> dot_buildpacks(std::string_view text, Purpose /*purpose*/) {
  return parse_dot_buildpacks(text);
}

Result<std::vector<std::string>> project_toml(std::string_view text, Purpose /*purpose*/) {
  return parse_project_toml(text);
}

constexpr const char* kAppJson = "app.json";

// In the order of their rank.
constexpr Place kPlaces[] = {
    {Named::dot_buildpacks, ".buildpacks", dot_buildpacks},
    {Named::app_json, kAppJson, parse_app_json},
    {Named::project_toml, "project.toml", project_toml},
};

Result<Choice> checked(Named named, std::vector<std::string> references) {
  for (const std::string& reference : references) TRY(within(name(named), check_classic(util::trim(reference))));
  return Choice{named, std::move(references)};
}

}  // namespace

std::string_view name(Named named) {
  switch (named) {
    case Named::command_line:
      return "--buildpack";
    case Named::buildpack_url:
      return "BUILDPACK_URL";
    case Named::dot_buildpacks:
      return ".buildpacks";
    case Named::app_json:
      return "app.json";
    case Named::project_toml:
      return "project.toml";
    case Named::detection:
      return "detection";
  }
  return "";
}

Result<Choice> choose(const Request& request, const std::filesystem::path& app_dir) {
  if (!request.named.empty()) return checked(Named::command_line, request.named);
  const auto url = request.config_vars.find("BUILDPACK_URL");
  if (url != request.config_vars.end() && !util::trim(url->second).empty())
    return checked(Named::buildpack_url, {std::string(util::trim(url->second))});
  for (const Place& place : kPlaces) {
    const auto text = TRY(read_app_file(app_dir, place.file, kMaxFile));
    if (!text) continue;
    auto references = TRY(place.parse(*text, request.purpose));
    if (!references.empty()) return checked(place.named, std::move(references));
  }
  return Choice{Named::detection, {}};
}

Result<TestSettings> read_test_settings(const std::filesystem::path& app_dir) {
  const auto text = TRY(read_app_file(app_dir, kAppJson, kMaxFile));
  if (!text) return TestSettings{};
  return parse_test_settings(*text);
}

}  // namespace hearth::buildpack
