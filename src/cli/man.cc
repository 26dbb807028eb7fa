#include "cli/man.h"

#include <fmt/format.h>

#include <vector>

#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr std::string_view kExamplesMark = "Examples:";
constexpr std::string_view kExitCodes = "Exit codes:";

// As text between macros: no line may begin with a control character, and "-" is a minus sign.
std::string escaped(std::string_view text) {
  std::string result;
  bool at_begin = true;
  for (const char c : text) {
    if (at_begin && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
    at_begin = c == '\n';
  }
  return result;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string spoken_name(const CommandEntry& command) {
  return command.path.empty() ? "hearth" : "hearth " + command.path;
}

std::string synopsis(const CommandEntry& command) {
  std::string text = fmt::format(".B {}\n", escaped(spoken_name(command)));
  if (!command.below.empty()) return text + ".I COMMAND\n[\\fIOPTIONS\\fR]\n";
  for (const OptionEntry& positional : command.positionals) text += fmt::format(".I {}\n", escaped(positional.flag));
  return text + "[\\fIOPTIONS\\fR]\n";
}

std::string option_paragraph(const OptionEntry& option) {
  std::string text = ".TP\n";
  text += fmt::format("\\fB{}\\fR", escaped(option.flag));
  if (!option.short_flag.empty()) text += fmt::format(", \\fB{}\\fR", escaped(option.short_flag));
  if (!option.type.empty() && option.type != option.flag) text += fmt::format(" \\fI{}\\fR", escaped(option.type));
  text += fmt::format("\n{}", escaped(option.help));
  if (!option.default_value.empty()) text += fmt::format(" (default: {})", escaped(option.default_value));
  text += ".\n";
  if (!option.variable.empty()) text += fmt::format("Variable: \\fB{}\\fR.\n", escaped(option.variable));
  return text;
}

struct Footer {
  std::string examples;  // without their heading
  std::string exit_codes;
  std::string notes;
};

Footer read_footer(std::string_view text) {
  Footer footer;
  std::string* current = &footer.notes;
  for (const std::string_view line : util::split(text, '\n')) {
    if (line.starts_with(kExamplesMark)) {
      current = &footer.examples;
      continue;
    }
    if (current == &footer.examples && util::trim(line).empty()) {
      current = &footer.notes;
      continue;
    }
    if (const std::size_t at = line.find(kExitCodes); at != std::string_view::npos && current != &footer.exit_codes) {
      *current += std::string(line.substr(0, at)) + "\n";
      footer.exit_codes += std::string(util::trim(line.substr(at + kExitCodes.size()))) + "\n";
      current = &footer.exit_codes;
      continue;
    }
    *current += std::string(line) + "\n";
  }
  return footer;
}

std::string section(std::string_view heading, std::string_view text) {
  const std::string_view body = util::trim(text);
  return body.empty() ? "" : fmt::format(".SH {}\n{}\n", heading, escaped(body));
}

std::string examples_section(const std::string& examples) {
  if (util::trim(examples).empty()) return {};
  return fmt::format(".SH EXAMPLES\n.nf\n{}.fi\n", escaped(examples));
}

std::string commands_section(const CommandEntry& command) {
  if (command.below.empty()) return {};
  std::string text = ".SH COMMANDS\n";
  for (const CommandEntry& below : command.below) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}. See \\fB{}\\fR(1).\n", escaped(spoken_name(below)), escaped(below.about),
                        escaped(man_page_name(below)));
  }
  return text;
}

std::string options_section(const CommandEntry& command) {
  std::string text;
  if (!command.positionals.empty()) text += ".SH ARGUMENTS\n";
  for (const OptionEntry& positional : command.positionals) text += option_paragraph(positional);
  if (!command.options.empty()) text += ".SH OPTIONS\n";
  for (const OptionEntry& option : command.options) text += option_paragraph(option);
  return text;
}

}  // namespace

std::string man_page_name(const CommandEntry& command) {
  std::string name = spoken_name(command);
  for (char& c : name) {
    if (c == ' ') c = '-';
  }
  return name;
}

std::string man_page(const CommandEntry& command, std::string_view version) {
  const Footer footer = read_footer(command.footer);
  std::string text =
      fmt::format(".TH {} 1 \"\" \"hearth {}\" \"Hearth\"\n", escaped(upper(man_page_name(command))), escaped(version));
  text += fmt::format(".SH NAME\n{} \\- {}\n", escaped(man_page_name(command)), escaped(command.about));
  text += ".SH SYNOPSIS\n" + synopsis(command);
  text += commands_section(command);
  text += options_section(command);
  text += section("NOTES", footer.notes);
  text += section("EXIT STATUS", footer.exit_codes);
  text += examples_section(footer.examples);
  if (!command.path.empty()) text += ".SH SEE ALSO\n\\fBhearth\\fR(1)\n";
  return text;
}

}  // namespace hearth::cli
