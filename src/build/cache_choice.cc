#include "build/cache_choice.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "util/text.h"

namespace hearth::build {

namespace {

constexpr const char* kMode = "HEARTH_CACHE";
constexpr const char* kExclusions = "HEARTH_CACHE_EXCLUDE";
constexpr const char* kDeisCache = "DEIS_BUILDPACK_CACHE";
constexpr const char* kDeisDisable = "DEIS_DISABLE_CACHE";
constexpr std::array kModes = {CacheMode::on, CacheMode::off, CacheMode::read_only, CacheMode::refresh};

bool restores(CacheMode mode) {
  return mode == CacheMode::on || mode == CacheMode::automatic || mode == CacheMode::read_only;
}

bool saves(CacheMode mode) {
  return mode == CacheMode::on || mode == CacheMode::automatic || mode == CacheMode::refresh;
}

CacheMode both(CacheMode one, CacheMode other) {
  const bool restored = restores(one) && restores(other);
  const bool saved = saves(one) && saves(other);
  const bool judged = one == CacheMode::automatic || other == CacheMode::automatic;
  if (restored && saved) return judged ? CacheMode::automatic : CacheMode::on;
  if (restored) return CacheMode::read_only;
  return saved ? CacheMode::refresh : CacheMode::off;
}

// Absent where it is not set. Mounted secrets often end in a line feed.
std::optional<std::string> value_of(const ConfigVars& config_vars, const char* name) {
  const auto found = config_vars.find(name);
  if (found == config_vars.end()) return std::nullopt;
  return std::string(util::trim(found->second));
}

bool is_false(std::string value) {
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return value == "false";
}

void because(CacheChoice& choice, std::string_view reason) {
  choice.why += fmt::format("{}{}", choice.why.empty() ? "" : ", ", reason);
}

void obey_mode(CacheChoice& choice, const std::string& wanted) {
  const auto meant = std::ranges::find(kModes, wanted, [](CacheMode mode) { return name(mode); });
  if (meant == kModes.end()) {
    choice.ignored.push_back("The config var HEARTH_CACHE is none of on, off, read-only and refresh: ignored");
    return;
  }
  if (*meant == CacheMode::on) return;
  because(choice, fmt::format("config var {}={}", kMode, wanted));
  choice.mode = both(choice.mode, *meant);
}

}  // namespace

std::string_view name(CacheMode mode) {
  switch (mode) {
    case CacheMode::on:
      return "on";
    case CacheMode::off:
      return "off";
    case CacheMode::read_only:
      return "read-only";
    case CacheMode::refresh:
      return "refresh";
    case CacheMode::automatic:
      return "auto";
  }
  return "on";
}

CacheChoice choose_cache(CacheMode operators, const ConfigVars& config_vars) {
  CacheChoice choice{.mode = operators, .stored = StoredCache::stays, .why = {}, .ignored = {}};
  if (operators != CacheMode::on && operators != CacheMode::automatic)
    because(choice, fmt::format("--cache {}", name(operators)));
  if (const auto wanted = value_of(config_vars, kMode); wanted && !wanted->empty()) obey_mode(choice, *wanted);
  const auto deis = value_of(config_vars, kDeisCache);
  const bool refused = deis && is_false(*deis);
  const bool disabled = config_vars.contains(kDeisDisable);
  if (refused) because(choice, fmt::format("config var {}=false", kDeisCache));
  if (disabled) because(choice, fmt::format("config var {} is set", kDeisDisable));
  if (!refused && !disabled) return choice;
  choice.mode = CacheMode::off;
  if (saves(operators)) choice.stored = StoredCache::is_deleted;
  return choice;
}

std::string cache_exclusions(const std::vector<std::string>& operators, const ConfigVars& config_vars) {
  std::string patterns;
  for (const std::string& pattern : operators) patterns += pattern + "\n";
  const auto owners = config_vars.find(kExclusions);
  if (owners != config_vars.end()) patterns += owners->second;
  return patterns;
}

}  // namespace hearth::build
