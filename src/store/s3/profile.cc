#include "store/s3/profile.h"

#include <sys/stat.h>

#include <cerrno>

#include "util/file.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

constexpr std::uint64_t kLargestFile = 1 << 20;

struct Section {
  bool found = false;
  Profile settings;
};

// Indented lines are settings of a nested group, which are none of ours.
Section read_section(std::string_view text, std::string_view wanted) {
  Section section;
  bool inside = false;
  for (std::string_view line : util::split(text, '\n')) {
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    line = util::trim(line);
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    if (line.starts_with('[')) {
      inside = util::trim(line.substr(1, line.find(']') - 1)) == wanted;
      section.found = section.found || inside;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || indented || equals == std::string_view::npos) continue;
    section.settings[util::lower(util::trim(line.substr(0, equals)))] = util::trim(line.substr(equals + 1));
  }
  return section;
}

// A service may run with a home that is none, or not its own: nobody said that there were files.
bool can_be_reached(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != EACCES);
}

Result<Section> read_file_section(const Environment& environment, const char* named_by, const char* below_home,
                                  std::string_view wanted) {
  std::string path = variable(environment, named_by);
  if (path.empty()) {
    path = variable(environment, "HOME") + below_home;
    if (!can_be_reached(path)) return Section{};
  }
  const Result<std::string> text = util::read_file(path, kLargestFile);
  if (text) return read_section(*text, wanted);
  if (text.error().kind == ErrorKind::not_found) return Section{};
  return std::unexpected(text.error());
}

}  // namespace

std::string setting(const Profile& profile, const std::string& name) {
  const auto found = profile.find(name);
  return found == profile.end() ? "" : found->second;
}

Result<Profile> read_profile(const Environment& environment, const std::string& name) {
  constexpr std::string_view kDefault = "default";
  std::string profile = name;
  if (profile.empty()) profile = variable(environment, "AWS_PROFILE");
  if (profile.empty()) profile = variable(environment, "AWS_DEFAULT_PROFILE");
  const bool named = !profile.empty();
  if (!named) profile = kDefault;
  const std::string in_config = profile == kDefault ? profile : "profile " + profile;
  const Section config = TRY(read_file_section(environment, "AWS_CONFIG_FILE", "/.aws/config", in_config));
  Section secrets = TRY(read_file_section(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials", profile));
  if (named && !config.found && !secrets.found) {
    return fail(ErrorKind::invalid, "the AWS profile {} is in neither of the shared files", util::shown(profile));
  }
  secrets.settings.insert(config.settings.begin(), config.settings.end());
  return std::move(secrets.settings);
}

}  // namespace hearth::store::s3
