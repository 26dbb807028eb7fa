#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::cli {

namespace {

using Value = OptionEntry::Value;

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> flags_of(const CommandEntry& command) {
  std::vector<std::string> flags;
  for (const OptionEntry& option : command.options) {
    flags.push_back(option.flag);
    if (!option.short_flag.empty()) flags.push_back(option.short_flag);
  }
  return flags;
}

// What may stand there that is no flag, as far as it is known.
std::vector<std::string> words_of(const CommandEntry& command) {
  std::vector<std::string> words;
  for (const CommandEntry& below : command.below) words.push_back(below.name);
  for (const OptionEntry& positional : command.positionals) {
    words.insert(words.end(), positional.words.begin(), positional.words.end());
  }
  return words;
}

bool takes_files(const CommandEntry& command) {
  return std::ranges::any_of(command.positionals, [](const OptionEntry& positional) {
    return positional.value == Value::path || positional.value == Value::directory;
  });
}

// --- bash

constexpr std::string_view kBashBegin = R"(# bash completion for hearth; made by `hearth completion bash`
_hearth() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= i
  COMPREPLY=()
  # A flag and its value may stand together: bash has cut them at the "=".
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    # What stands behind is no business of ours.
    if [[ ${COMP_WORDS[i]} == -- ]]; then
      return
    fi
    case "$path ${COMP_WORDS[i]}" in
)";

constexpr std::string_view kBashValues = R"(    esac
  done
  case "$path $prev" in
)";

constexpr std::string_view kBashWords = R"(  esac
  case "$path" in
)";

constexpr std::string_view kBashEnd = R"(  esac
}
complete -o default -F _hearth hearth
)";

// The first word of a path below the program has nothing before it but the space.
std::string bash_pattern(const CommandEntry& command, std::string_view word) {
  return fmt::format("'{} {}'", command.path, word);
}

std::string bash_value(const OptionEntry& option) {
  switch (option.value) {
    case Value::words:
      return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", joined(option.words));
    case Value::directory:
      return "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
    case Value::other:
      // Nobody knows; a file's name is no good guess.
      return "compopt +o default";
    case Value::none:
    case Value::path:
      break;
  }
  return ":";
}

std::string bash_script(const CommandEntry& root) {
  std::string text(kBashBegin);
  for (const CommandEntry* command : all_commands(root)) {
    for (const CommandEntry& below : command->below) {
      text += fmt::format("      {}) path='{}' ;;\n", bash_pattern(*command, below.name), below.path);
    }
  }
  text += kBashValues;
  for (const CommandEntry* command : all_commands(root)) {
    for (const OptionEntry& option : command->options) {
      if (option.value == Value::none) continue;
      text += fmt::format("    {}) {}; return ;;\n", bash_pattern(*command, option.flag), bash_value(option));
    }
  }
  text += kBashWords;
  for (const CommandEntry* command : all_commands(root)) {
    const std::vector<std::string> words = words_of(*command);
    const std::string flags = joined(flags_of(*command));
    text += fmt::format("    '{}')\n", command->path);
    text += "      if [[ $cur == -* ]]; then\n";
    text += fmt::format("        mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n", flags);
    text += "      else\n";
    if (!words.empty()) {
      text += fmt::format("        mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")\n", joined(words));
    }
    text += takes_files(*command) ? "        :\n" : "        compopt +o default\n";
    text += "      fi\n      ;;\n";
  }
  return text + std::string(kBashEnd);
}

// --- zsh

std::string zsh_function(const CommandEntry& command) {
  return "_hearth" + (command.path.empty() ? "" : "_" + replaced(replaced(command.path, " ", "_"), "-", "_"));
}

// For the text in brackets of a specification that stands between single quotes.
std::string zsh_text(std::string text) {
  for (const auto& [what, with] : {std::pair{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}, {"'", "'\\''"}}) {
    text = replaced(std::move(text), what, with);
  }
  return text;
}

std::string zsh_action(const OptionEntry& option) {
  switch (option.value) {
    case Value::words:
      return fmt::format("({})", joined(option.words));
    case Value::path:
      return "_files";
    case Value::directory:
      return "_files -/";
    case Value::none:
    case Value::other:
      break;
  }
  return " ";
}

std::string zsh_option(const OptionEntry& option, const std::string& flag) {
  const std::string text = zsh_text(option.help);
  if (option.value == Value::none) return fmt::format("    '{}[{}]' \\\n", flag, text);
  // A flag may be given again: the last one counts, or all do.
  return fmt::format("    '*{}=[{}]:{}:{}' \\\n", flag, text, zsh_text(option.type), zsh_action(option));
}

std::string zsh_command(const CommandEntry& command) {
  std::string text = fmt::format("{}() {{\n", zsh_function(command));
  if (!command.below.empty()) text += "  local curcontext=\"$curcontext\" state line\n  local -a commands\n";
  text += command.below.empty() ? "  _arguments -s \\\n" : "  _arguments -C \\\n";
  for (const OptionEntry& option : command.options) {
    text += zsh_option(option, option.flag);
    if (!option.short_flag.empty()) text += zsh_option(option, option.short_flag);
  }
  if (command.below.empty()) {
    for (const OptionEntry& positional : command.positionals) {
      text += fmt::format("    ':{}:{}' \\\n", zsh_text(positional.flag), zsh_action(positional));
    }
    text += "    '*:: :_default'\n}\n\n";
    return text;
  }
  text += "    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n      commands=(\n";
  for (const CommandEntry& below : command.below) {
    text += fmt::format("        '{}:{}'\n", zsh_text(below.name), zsh_text(below.about));
  }
  text += "      )\n      _describe -t commands 'command' commands\n      ;;\n    rest)\n      case $words[1] in\n";
  for (const CommandEntry& below : command.below) {
    text += fmt::format("        {}) {} ;;\n", below.name, zsh_function(below));
  }
  return text + "      esac\n      ;;\n  esac\n}\n\n";
}

std::string zsh_script(const CommandEntry& root) {
  std::string text = "#compdef hearth\n# zsh completion for hearth; made by `hearth completion zsh`\n\n";
  for (const CommandEntry* command : all_commands(root)) text += zsh_command(*command);
  // As a file of the search path it is the function's body; read by `source` it is not.
  return text + "if [[ ${funcstack[1]} == _hearth ]]; then\n  _hearth \"$@\"\nelse\n  compdef _hearth hearth\nfi\n";
}

// --- fish

constexpr std::string_view kFishBegin = R"(# fish completion for hearth; made by `hearth completion fish`
function __hearth_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l path ''
    for word in $words
        switch "$path $word"
)";

constexpr std::string_view kFishAfterPaths = R"(        end
    end
    test "$path" = "$argv[1]"
end

complete -c hearth -f
)";

std::string fish_quoted(const std::string& text) {
  return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_option(const CommandEntry& command, const OptionEntry& option) {
  std::string line = fmt::format("complete -c hearth -n {} -l {}",
                                 fish_quoted("__hearth_at " + fish_quoted(command.path)), option.flag.substr(2));
  if (!option.short_flag.empty()) line += fmt::format(" -s {}", option.short_flag.substr(1));
  switch (option.value) {
    case Value::none:
      break;
    case Value::words:
      line += fmt::format(" -x -a {}", fish_quoted(joined(option.words)));
      break;
    case Value::path:
      line += " -r -F";
      break;
    case Value::directory:
      line += " -x -a '(__fish_complete_directories)'";
      break;
    case Value::other:
      line += " -x";
      break;
  }
  return line + fmt::format(" -d {}\n", fish_quoted(option.help));
}

std::string fish_script(const CommandEntry& root) {
  std::string text(kFishBegin);
  for (const CommandEntry* command : all_commands(root)) {
    for (const CommandEntry& below : command->below) {
      text += fmt::format("            case {}\n                set path {}\n",
                          fish_quoted(command->path + " " + below.name), fish_quoted(below.path));
    }
  }
  text += kFishAfterPaths;
  for (const CommandEntry* command : all_commands(root)) {
    const std::string here = fish_quoted("__hearth_at " + fish_quoted(command->path));
    for (const CommandEntry& below : command->below) {
      text += fmt::format("complete -c hearth -n {} -a {} -d {}\n", here, fish_quoted(below.name),
                          fish_quoted(below.about));
    }
    for (const OptionEntry& positional : command->positionals) {
      for (const std::string& word : positional.words)
        text += fmt::format("complete -c hearth -n {} -a {}\n", here, word);
    }
    if (takes_files(*command)) text += fmt::format("complete -c hearth -n {} -F\n", here);
    for (const OptionEntry& option : command->options) text += fish_option(*command, option);
  }
  return text;
}

}  // namespace

std::string completion_script(Shell shell, const CommandEntry& root) {
  switch (shell) {
    case Shell::bash:
      return bash_script(root);
    case Shell::zsh:
      return zsh_script(root);
    case Shell::fish:
      return fish_script(root);
  }
  return {};
}

}  // namespace hearth::cli
