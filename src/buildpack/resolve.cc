#include "buildpack/resolve.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::buildpack {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.front() != '-' && std::ranges::all_of(text, is_name_char);
}

// The value for the name, without ref.
std::optional<std::string> look_up(std::string_view name, const std::map<std::string, std::string>& aliases) {
  if (const auto exact = aliases.find(std::string(name)); exact != aliases.end()) return exact->second;
  std::string_view best;
  std::optional<std::string> found;
  for (const auto& [key, value] : aliases) {
    if (!key.ends_with('*')) continue;
    const std::string_view prefix = std::string_view(key).substr(0, key.size() - 1);
    if (!name.starts_with(prefix) || (found && prefix.size() < best.size())) continue;
    best = prefix;
    found = value;
    if (const auto star = found->find('*'); star != std::string::npos) {
      found->replace(star, 1, name.substr(prefix.size()));
    }
  }
  return found;
}

}  // namespace

Result<void> check_classic(std::string_view text) {
  if (!text.starts_with("docker:") && !text.starts_with("urn:cnb:")) return {};
  return fail(
      ErrorKind::invalid,
      "{} is a Cloud Native Buildpack, which is not supported; use the git URL (https://…), tarball or directory "
      "of a classic buildpack",
      fetch::masked(text));
}

std::optional<std::string> alias(std::string_view text, const std::map<std::string, std::string>& aliases) {
  constexpr std::string_view kUrn = "urn:buildpack:";
  if (text.starts_with(kUrn)) text.remove_prefix(kUrn.size());
  const auto hash = text.find('#');
  const std::string_view name = text.substr(0, hash);
  const auto slash = name.find('/');
  if (slash == std::string_view::npos || !is_name(name.substr(0, slash)) || !is_name(name.substr(slash + 1)))
    return std::nullopt;
  auto found = look_up(name, aliases);
  if (found && hash != std::string_view::npos) {
    found->resize(std::min(found->find('#'), found->size()));
    *found += text.substr(hash);
  }
  return found;
}

Result<fetch::Reference> resolve(std::string_view text, const std::map<std::string, std::string>& aliases,
                                 fetch::Origin origin) {
  text = util::trim(text);
  TRY(check_classic(text));
  if (const auto target = alias(text, aliases)) return fetch::parse_reference(*target, fetch::Origin::operator_named);
  return fetch::parse_reference(text, origin);
}

std::string short_name(std::string_view location) {
  location = location.substr(0, location.find_first_of("?#"));
  while (location.ends_with('/')) location.remove_suffix(1);
  location.remove_prefix(location.find_last_of("/:") + 1);
  for (const std::string_view ending : {".git", ".tgz", ".tar", ".tar.gz", ".tbz", ".tar.bz", ".tar.bz2", ".tar.xz"}) {
    if (!location.ends_with(ending) || location.size() == ending.size()) continue;
    location.remove_suffix(ending.size());
    break;
  }
  std::string name;
  for (const char c : location.substr(0, 100)) name += is_name_char(c) ? c : '_';
  return name.empty() || name.front() == '.' ? "buildpack" + name : name;
}

}  // namespace hearth::buildpack
