// The command line's definition as plain data: what completions and man pages are made of.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace hearth::cli {

struct OptionEntry {
  // What a value is, as far as the definition's type tells: "a|b|c" in lower case are the words to choose from, PATH is
  // a file or directory, DIR a directory, FILE a file (each also beside other alternatives, as in "FILE|-").
  enum class Value { none, words, path, directory, other };

  std::string flag;        // "--sandbox"; of a positional "SOURCE"
  std::string short_flag;  // "-h", or empty
  Value value = Value::none;
  std::vector<std::string> words;  // of Value::words
  std::string type;                // "auto|bwrap|uid|plain", "PATH"; empty where there is no value
  std::string help;
  std::string default_value;  // empty: the help says it, or there is none
  std::string variable;       // "HEARTH_SANDBOX"; empty: none
};

struct CommandEntry {
  std::string name;   // "save"
  std::string path;   // "cache save"; empty for the program itself
  std::string about;  // one line, without a full stop
  std::string footer;
  std::vector<OptionEntry> options;
  std::vector<OptionEntry> positionals;
  std::vector<CommandEntry> below;
};

// The whole tree, in the order of the definition; without what is hidden from --help (an empty group).
CommandEntry describe(const CLI::App& root);

// All commands of the tree, each before those below it. What they point to is part of `root`.
std::vector<const CommandEntry*> all_commands(const CommandEntry& root);

}  // namespace hearth::cli
