// The files of settings: which ones count, and how what they say reaches the options of a command.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/config_file.h"

namespace hearth::cli {

// Adds --config to every command; what it is given comes to stand in `named`.
void add_config_option(CLI::App& root, std::string& named);

// The files where nobody names one, the stronger first: the user's ($XDG_CONFIG_HOME/hearth/config.toml, or below
// ~/.config) and the machine's (/etc/hearth/config.toml).
std::vector<std::filesystem::path> default_config_files(const Environment& environment);

// Files of settings, the strongest first.
class Config {
 public:
  // `named` (--config, or HEARTH_CONFIG; empty: none) must be there; of the others, one that is absent is skipped, and
  // one that cannot be read is a warning. UsageError: a file that cannot be used.
  static Config load(const std::string& named, const std::vector<std::filesystem::path>& others);

  // Gives the options of the command that was chosen what neither a flag nor a variable has set. In a file, the table
  // of the command ([build], [cache-save]) wins over the top level. UsageError, with file, line and key, for settings
  // that no command has, whatever the chosen one is, and for values that its options do not take.
  void apply(CLI::App& root, const Environment& environment) const;

  // Variables that stores read, for where they are not set.
  std::map<std::string, std::string> environment() const;
  std::vector<std::string> warnings() const;

 private:
  const FileSetting* find(const std::string& table, const std::string& key) const;
  std::vector<ConfigFile> files_;
  std::vector<std::string> warnings_;
};

}  // namespace hearth::cli
