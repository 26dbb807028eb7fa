#include "cli/command_tree.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::cli {

namespace {

bool is_word(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  // A lone "-" is a place, as in "FILE|-".
  return text.size() > 1 ? std::ranges::all_of(text, plain) : text == "0" || text == "1";
}

void classify(OptionEntry& entry) {
  const std::vector<std::string_view> alternatives = util::split(entry.type, '|');
  if (alternatives.size() > 1 && std::ranges::all_of(alternatives, is_word)) {
    entry.value = OptionEntry::Value::words;
    entry.words.assign(alternatives.begin(), alternatives.end());
    return;
  }
  const auto has = [&](std::string_view word) { return std::ranges::find(alternatives, word) != alternatives.end(); };
  entry.value = OptionEntry::Value::other;
  if (has("DIR")) entry.value = OptionEntry::Value::directory;
  if (has("PATH") || has("FILE")) entry.value = OptionEntry::Value::path;
}

// Without what its validators add: "NUMBER:INT in [1 - 65535]".
std::string type_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

OptionEntry entry_of(const CLI::Option& option) {
  OptionEntry entry;
  if (!option.get_lnames().empty()) entry.flag = "--" + option.get_lnames().front();
  if (!option.get_snames().empty()) entry.short_flag = "-" + option.get_snames().front();
  entry.help = option.get_description();
  entry.variable = option.get_envname();
  entry.default_value = option.get_default_str();
  if (option.get_positional()) {
    entry.flag = option.get_name(true);
    entry.type = type_of(option);
    classify(entry);
    // Without a list of words its own name says what it is.
    if (entry.value != OptionEntry::Value::words) {
      entry.type = entry.flag;
      classify(entry);
    }
    if (entry.flag == "SOURCE" || entry.flag == "TARGET") entry.value = OptionEntry::Value::path;
  } else if (option.get_items_expected_max() > 0) {
    entry.type = type_of(option);
    classify(entry);
  }
  return entry;
}

CommandEntry entry_of(const CLI::App& app, const std::string& path) {
  CommandEntry entry;
  entry.name = app.get_name();
  entry.path = path;
  entry.about = app.get_description();
  entry.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? entry.positionals : entry.options).push_back(entry_of(*option));
  }
  for (const CLI::App* below : app.get_subcommands([](const CLI::App* any) { return !any->get_group().empty(); })) {
    entry.below.push_back(entry_of(*below, path.empty() ? below->get_name() : path + " " + below->get_name()));
  }
  return entry;
}

void collect(const CommandEntry& command, std::vector<const CommandEntry*>& commands) {
  commands.push_back(&command);
  for (const CommandEntry& below : command.below) collect(below, commands);
}

}  // namespace

CommandEntry describe(const CLI::App& root) {
  return entry_of(root, "");
}

std::vector<const CommandEntry*> all_commands(const CommandEntry& root) {
  std::vector<const CommandEntry*> commands;
  collect(root, commands);
  return commands;
}

}  // namespace hearth::cli
