#include "cli/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "cli/options.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kFlag = "--config";
constexpr const char* kMachines = "/etc/hearth/config.toml";
constexpr const char* kBelowHome = "hearth/config.toml";
// Whoever wants these says so each time.
constexpr std::array<std::string_view, 4> kNeverInAFile = {"config", "help", "version", "yes"};

struct Command {
  std::string table;  // "cache-save"
  CLI::App* app = nullptr;
};

std::vector<CLI::App*> below(CLI::App& command) {
  return command.get_subcommands([](CLI::App*) { return true; });
}

// The commands that do something, not the groups that they stand in.
void collect_commands(CLI::App& command, const std::string& table, std::vector<Command>& commands) {
  const std::vector<CLI::App*> inner = below(command);
  if (inner.empty()) commands.push_back({table, &command});
  for (CLI::App* each : inner) {
    collect_commands(*each, (table.empty() ? "" : table + "-") + each->get_name(), commands);
  }
}

bool may_stand_in_a_file(const std::string& key) {
  return std::ranges::find(kNeverInAFile, key) == kNeverInAFile.end();
}

CLI::Option* option_of(const Command& command, const std::string& key) {
  return may_stand_in_a_file(key) ? command.app->get_option_no_throw("--" + key) : nullptr;
}

std::string hint(const std::string& word, const std::set<std::string>& known) {
  const std::string best = util::nearest(word, std::vector<std::string>(known.begin(), known.end()));
  return best.empty() ? "" : fmt::format("; did you mean {}?", best);
}

[[noreturn]] void refuse_key(const FileSetting& setting, const std::vector<Command>& commands) {
  std::set<std::string> known;
  for (const Command& command : commands) {
    if (!setting.table.empty() && setting.table != command.table) continue;
    for (const CLI::Option* option : command.app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (may_stand_in_a_file(name)) known.insert(name);
      }
    }
  }
  const std::string where = setting.table.empty() ? "hearth" : fmt::format("[{}]", setting.table);
  throw UsageError(fmt::format("{}: {} is no setting of {}{}", setting.place, util::shown(setting.key), where,
                               hint(setting.key, known)));
}

void check_tables(const ConfigFile& file, const std::vector<Command>& commands) {
  std::set<std::string> known = {"environment"};
  for (const Command& command : commands) known.insert(command.table);
  for (const auto& [table, place] : file.tables) {
    if (known.contains(table)) continue;
    throw UsageError(fmt::format("{}: [{}] is no command of hearth{}", place, util::shown(table), hint(table, known)));
  }
}

// What the option takes, where that is something else; empty where it is this.
std::string_view takes_instead(const CLI::Option& option, FileSetting::Kind kind) {
  using enum FileSetting::Kind;
  const std::string type = option.get_type_name();
  if (option.get_expected_min() == 0) return kind == truth ? "" : "true or false";
  if (option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll) {
    return kind == list || kind == text ? "" : "a list of texts";
  }
  // Quantities have units, and are text then; of choices some are digits.
  const bool quantity = type.starts_with("NUMBER") || type == "DURATION" || type == "SIZE";
  if (quantity || type.contains('|')) return kind == text || kind == number ? "" : "a number, or text in quotes";
  return kind == text ? "" : "text in quotes";
}

void check_kind(const FileSetting& setting, const CLI::Option& option) {
  const std::string_view wanted = takes_instead(option, setting.kind);
  if (!wanted.empty()) throw UsageError(fmt::format("{}: {} takes {}", setting.place, setting.key, wanted));
}

void check_setting(const FileSetting& setting, const std::vector<Command>& commands) {
  bool found = false;
  for (const Command& command : commands) {
    if (!setting.table.empty() && setting.table != command.table) continue;
    if (const CLI::Option* option = option_of(command, setting.key)) {
      check_kind(setting, *option);
      found = true;
    }
  }
  if (!found) refuse_key(setting, commands);
}

// As the parser does with what it finds in a variable.
void give(CLI::Option& option, const FileSetting& setting) {
  if (setting.values.empty()) return;
  try {
    for (const std::string& value : setting.values) option.add_result(value);
    option.run_callback();
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}: {}", setting.place, error.what()));
  }
}

bool is_set(const CLI::Option& option, const std::string& key, const Environment& environment) {
  if (option.count() > 0) return true;
  const auto variable = environment.find(variable_of("--" + key));
  return variable != environment.end() && !variable->second.empty() &&
         !is_service_link(variable->first, variable->second);
}

}  // namespace

void add_config_option(CLI::App& root, std::string& named) {
  std::vector<Command> commands;
  collect_commands(root, "", commands);
  for (const Command& command : commands) {
    command.app->add_option(kFlag, named, "File of settings (default: $XDG_CONFIG_HOME/hearth/config.toml, then /etc)")
        ->type_name("FILE");
  }
}

std::vector<std::filesystem::path> default_config_files(const Environment& environment) {
  const auto directory = [&](const char* name) {
    const auto found = environment.find(name);
    // A relative value is to be ignored (XDG Base Directory Specification).
    const bool usable = found != environment.end() && found->second.starts_with('/');
    return usable ? std::filesystem::path(found->second) : std::filesystem::path();
  };
  std::vector<std::filesystem::path> files;
  if (const auto config_home = directory("XDG_CONFIG_HOME"); !config_home.empty()) {
    files.push_back(config_home / kBelowHome);
  } else if (const auto home = directory("HOME"); !home.empty()) {
    files.push_back(home / ".config" / kBelowHome);
  }
  files.emplace_back(kMachines);
  return files;
}

Config Config::load(const std::string& named, const std::vector<std::filesystem::path>& others) {
  Config config;
  const auto take = [&config](ConfigFile file) {
    for (std::string& warning : file.warnings) config.warnings_.push_back(std::move(warning));
    config.files_.push_back(std::move(file));
  };
  if (!named.empty()) {
    Result<ConfigFile> file = read_config_file(named);
    if (!file) throw UsageError(file.error().message);
    take(std::move(*file));
  }
  for (const std::filesystem::path& path : others) {
    std::error_code code;
    // Below something that is no directory there is none either.
    if (std::filesystem::status(path, code).type() == std::filesystem::file_type::not_found) continue;
    Result<ConfigFile> file = read_config_file(path);
    if (!file && file.error().kind == ErrorKind::invalid) throw UsageError(file.error().message);
    if (file) {
      take(std::move(*file));
    } else {
      config.warnings_.push_back(file.error().message);
    }
  }
  return config;
}

void Config::apply(CLI::App& root, const Environment& environment) const {
  std::vector<Command> commands;
  collect_commands(root, "", commands);
  for (const ConfigFile& file : files_) {
    check_tables(file, commands);
    for (const FileSetting& setting : file.settings) check_setting(setting, commands);
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    for (CLI::Option* option : command.app->get_options()) {
      if (option->get_lnames().empty()) continue;
      const std::string& key = option->get_lnames().front();
      const FileSetting* setting = may_stand_in_a_file(key) ? find(command.table, key) : nullptr;
      if (setting != nullptr && !is_set(*option, key, environment)) give(*option, *setting);
    }
  }
}

const FileSetting* Config::find(const std::string& table, const std::string& key) const {
  for (const ConfigFile& file : files_) {
    for (const std::string& wanted : {table, std::string()}) {
      const auto found = std::ranges::find_if(
          file.settings, [&](const FileSetting& setting) { return setting.table == wanted && setting.key == key; });
      if (found != file.settings.end()) return &*found;
    }
  }
  return nullptr;
}

std::map<std::string, std::string> Config::environment() const {
  std::map<std::string, std::string> variables;
  for (const ConfigFile& file : files_) variables.insert(file.environment.begin(), file.environment.end());
  return variables;
}

std::vector<std::string> Config::warnings() const {
  return warnings_;
}

}  // namespace hearth::cli
