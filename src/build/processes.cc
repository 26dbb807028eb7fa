#include "build/processes.h"

#include <algorithm>

#include "buildpack/app_files.h"
#include "buildpack/procfile.h"
#include "buildpack/yaml.h"
#include "util/text.h"

namespace hearth::build {

namespace {

constexpr std::uint64_t kLargestProcfile = std::uint64_t{1} << 20;

std::string listed(const Processes& processes) {
  std::string names;
  for (const auto& [name, command] : processes) names += (names.empty() ? "" : ", ") + name;
  return names;
}

// Absent also where it cannot be read.
std::optional<std::string> file_text(const std::filesystem::path& app_dir, const char* name) {
  return buildpack::read_app_file(app_dir, name, kLargestProcfile).value_or(std::nullopt);
}

bool is_shell_name(std::string_view name) {
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') && std::ranges::all_of(name, word);
}

}  // namespace

Processes discover_processes(const std::filesystem::path& app_dir, const Processes& defaults,
                             std::string_view buildpack_name, Log& log) {
  log.heading("Discovering process types");
  Processes processes;
  const Result<std::optional<std::string>> procfile = buildpack::read_app_file(app_dir, "Procfile", kLargestProcfile);
  if (!procfile) {
    log.warning(procfile.error().message);
  } else if (*procfile) {
    processes = buildpack::parse_procfile(**procfile);
    if (processes.empty()) {
      log.warning("The Procfile declares no process type: expected lines of the form \"name: command\"");
    } else {
      log.line(fmt::format("Procfile declares types -> {}", listed(processes)));
    }
  }
  if (!defaults.empty()) {
    log.line(fmt::format("Default process types for {} -> {}", buildpack_name, listed(defaults)));
  }
  processes.insert(defaults.begin(), defaults.end());
  return processes;
}

std::string release_file_of(const Processes& defaults) {
  std::string text = "---\ndefault_process_types:\n";
  const std::string yaml = buildpack::write_procfile(defaults);
  for (const std::string_view line : util::split(util::trim(yaml), '\n')) text += fmt::format("  {}\n", line);
  return text;
}

Processes processes_in(const std::filesystem::path& app_dir) {
  Processes processes;
  if (const auto procfile = file_text(app_dir, "Procfile")) processes = buildpack::parse_procfile(*procfile);
  if (const auto file = file_text(app_dir, kReleaseFile)) {
    if (auto release = buildpack::parse_release(*file)) processes.merge(release->default_process_types);
  }
  return processes;
}

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char character : text) {
    if (character == '\'') {
      quoted += R"('\'')";
    } else {
      quoted += character;
    }
  }
  return quoted + "'";
}

std::string profile_of(const std::map<std::string, std::string>& config_vars) {
  std::string text = "# Defaults from the buildpacks' bin/release.\n";
  for (const auto& [name, value] : config_vars) {
    if (!is_shell_name(name) || value.find('\0') != std::string::npos) continue;
    const std::string assignment = fmt::format("export {}={}", name, shell_quoted(value));
    text += name == "PATH" ? assignment + "\n" : fmt::format("[ -n \"${{{}+x}}\" ] || {}\n", name, assignment);
  }
  return text;
}

}  // namespace hearth::build
