// One TOML file of settings, as it stands.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace hearth::cli {

struct FileSetting {
  enum class Kind { text, number, truth, list };

  std::string table;                // "" at the top, else the table's name
  std::string key;                  // "build-timeout"
  Kind kind = Kind::text;           //
  std::vector<std::string> values;  // exactly one, but of a list; of a truth "true" or "false"
  std::string place;                // for messages: "FILE:LINE"
};

struct ConfigFile {
  std::vector<FileSetting> settings;               // in any order
  std::map<std::string, std::string> tables;       // name → place; [environment] is not among them
  std::map<std::string, std::string> environment;  // the table [environment]: variables that stores read
  std::vector<std::string> warnings;               // one line each
};

// What TOML refuses, values that no setting has (floats, dates, tables in tables), and in [environment] anything but
// texts and names that variables have, are invalid: messages name file, line and key, never a value. `name` is the
// file's for messages.
Result<ConfigFile> parse_config_file(std::string_view text, const std::string& name);

// The same of a file of at most 1 MiB. It warns where others may change the file, or may read it and it holds what is
// secret: [environment], or config vars.
Result<ConfigFile> read_config_file(const std::filesystem::path& path);

}  // namespace hearth::cli
