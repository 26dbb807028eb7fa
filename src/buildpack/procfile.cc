#include "buildpack/procfile.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "util/text.h"

namespace hearth::buildpack {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// What YAML 1.1 reads as something else than text: numbers, and these words.
bool is_plain_text(std::string_view name) {
  constexpr std::array<std::string_view, 9> kWords = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  const std::string lower = util::lower(name);
  const bool begins_as_word = !lower.empty() && ((lower[0] >= 'a' && lower[0] <= 'z') || lower[0] == '_');
  return begins_as_word && std::ranges::all_of(lower, is_name_char) && std::ranges::find(kWords, lower) == kWords.end();
}

// JSON's strings are YAML's double-quoted ones. DEL is legal in both, yet the usual YAML readers refuse it.
std::string quoted(const std::string& text) {
  const std::string json = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string yaml;
  for (const char c : json) {
    if (c == '\x7f') {
      yaml += "\\x7f";
    } else {
      yaml += c;
    }
  }
  return yaml;
}

}  // namespace

std::map<std::string, std::string> parse_procfile(std::string_view text) {
  std::map<std::string, std::string> processes;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (const std::string_view line : util::split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view command = util::trim(line.substr(colon + 1));
    if (command.empty() || !std::ranges::all_of(name, is_name_char)) continue;
    processes[std::string(name)] = command;
  }
  return processes;
}

std::string write_procfile(const std::map<std::string, std::string>& processes) {
  if (processes.empty()) return "{}\n";
  std::string yaml;
  for (const auto& [name, command] : processes) {
    yaml += fmt::format("{}: {}\n", is_plain_text(name) ? name : quoted(name), quoted(command));
  }
  return yaml;
}

}  // namespace hearth::buildpack
