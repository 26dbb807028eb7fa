#include "build/config_vars.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "util/file.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// A config var is for keys and settings; what is larger was meant to be something else.
constexpr std::uint64_t kLargestValue = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestFile = std::uint64_t{16} << 20;

bool is_letter(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character == '_';
}

bool is_name(std::string_view text) {
  const auto allowed = [](char character) {
    return is_letter(character) || (character >= '0' && character <= '9') || character == '.' || character == '-';
  };
  return !text.empty() && text.size() <= 255 && is_letter(text.front()) && std::ranges::all_of(text, allowed);
}

Result<void> add(ConfigVars& vars, std::string_view name, std::string_view value, std::string_view where) {
  TRY(check_config_var(name, value, where));
  vars.insert_or_assign(std::string(name), std::string(value));
  return {};
}

Result<void> read_directory(ConfigVars& vars, const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    std::error_code unknown;
    if (name.starts_with('.') || !fs::is_regular_file(entry->path(), unknown)) continue;
    const std::string value = TRY(util::read_file(entry->path(), kLargestValue));
    TRY(add(vars, name, value, directory.native()));
  }
  if (error) return fail_errno(error.value(), fmt::format("reading config vars from {}", directory.native()));
  return {};
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == value.back() && (value[0] == '"' || value[0] == '\'');
  return quoted ? value.substr(1, value.size() - 2) : value;
}

Result<void> read_lines(ConfigVars& vars, const fs::path& file) {
  const std::string text = TRY(within("reading config vars", util::read_file(file, kLargestFile)));
  std::size_t number = 0;
  for (const std::string_view raw : util::split(text, '\n')) {
    ++number;
    std::string_view line = util::trim(raw);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("export ")) line = util::trim(line.substr(7));
    const std::size_t equals = line.find('=');
    const std::string where = fmt::format("{}:{}", file.native(), number);
    if (equals == std::string_view::npos) return fail(ErrorKind::invalid, "{}: expected NAME=value", where);
    TRY(add(vars, util::trim(line.substr(0, equals)), unquoted(util::trim(line.substr(equals + 1))), where));
  }
  return {};
}

}  // namespace

Result<void> check_config_var(std::string_view name, std::string_view value, std::string_view where) {
  if (!is_name(name)) {
    return fail(ErrorKind::invalid, "{}: '{}' is no name for a config var (letters, digits and '_')", where,
                util::percent_encode(name.substr(0, 40)));
  }
  if (value.find('\0') != std::string_view::npos) {
    return fail(ErrorKind::invalid, "{}: the value of {} holds a NUL byte", where, name);
  }
  return {};
}

Result<ConfigVars> read_config_vars(const ConfigVarSources& sources) {
  ConfigVars vars;
  if (sources.directory) TRY(read_directory(vars, *sources.directory));
  if (sources.file) TRY(read_lines(vars, *sources.file));
  for (const std::string_view assignment : sources.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string_view::npos) return fail(ErrorKind::invalid, "a config var is given as NAME=value");
    TRY(add(vars, assignment.substr(0, equals), assignment.substr(equals + 1), "config var"));
  }
  return vars;
}

Result<void> write_env_dir(const ConfigVars& vars, const std::vector<std::string>& left_out, const fs::path& directory,
                           std::optional<uid_t> owner) {
  for (const auto& [name, value] : vars) {
    if (std::ranges::find(left_out, name) != left_out.end()) continue;
    const fs::path path = directory / name;
    const util::Fd file = TRY(util::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY(within(path.native(), util::write_full(file.get(), value)));
    if (owner && ::fchown(file.get(), *owner, *owner) != 0) return fail_errno(errno, path.native());
  }
  return {};
}

}  // namespace hearth::build
