#include "cli/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <map>
#include <set>

#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "util/text.h"

#ifndef HEARTH_VERSION
#error "HEARTH_VERSION comes from the build system"
#endif

namespace hearth::cli {

void define_wanted(const std::vector<Definition>& definitions, std::size_t depth, CLI::App& parent,
                   Invocation& invocation) {
  const bool all = invocation.only.size() <= depth;
  for (const Definition& definition : definitions) {
    if (all || std::ranges::find(definition.names, invocation.only[depth]) != definition.names.end())
      definition.define(parent, invocation);
  }
}

namespace {

// Every flag of a command and of the commands below it.
void collect_flags(const CLI::App& command, std::set<std::string>& flags) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.insert("--" + name);
  }
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; }))
    collect_flags(*below, flags);
}

std::string with_hint(std::string message, std::string_view word, const std::set<std::string>& known) {
  const std::vector<std::string> candidates(known.begin(), known.end());
  const std::string best = util::nearest(word, candidates);
  if (!best.empty()) message += fmt::format("; did you mean {}?", best);
  return message;
}

void check_variables(const CLI::App& root, const Environment& environment) {
  std::set<std::string> flags;
  collect_flags(root, flags);
  std::set<std::string> known;
  for (const std::string& flag : flags) known.insert(variable_of(flag));
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("HEARTH_") || known.contains(name) || is_service_link(name, value)) continue;
    throw UsageError(with_hint(fmt::format("{} in the environment is no setting of hearth", name), name, known));
  }
}

const CLI::App& innermost(const CLI::App& command) {
  const auto below = command.get_subcommands();
  return below.empty() ? command : innermost(*below.front());
}

void check_leftovers(const CLI::App& root) {
  const CLI::App& command = innermost(root);
  const std::vector<std::string> left = root.remaining(true);
  if (left.empty()) return;
  const std::string& word = left.front();
  std::set<std::string> known;
  if (word.starts_with("-")) {
    collect_flags(command, known);
    const std::string flag = word.substr(0, word.find('='));
    throw UsageError(with_hint(fmt::format("{} is no option of {}", flag, command.get_display_name()), flag, known));
  }
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    known.insert(below->get_name());
  }
  if (known.empty()) throw UsageError(fmt::format("\"{}\" is one argument too many", word));
  throw UsageError(with_hint(fmt::format("\"{}\" is no command of hearth", word), word, known));
}

// Takes what stands behind the first "--" of `hearth run` off: it is the process' own, whatever it looks like.
std::vector<std::string> take_behind_dashes(std::vector<std::string>& words) {
  const auto dashes = std::ranges::find(words, "--");
  if (dashes == words.end() || words.front() != "run") return {};
  std::vector<std::string> behind(std::next(dashes), words.end());
  words.erase(dashes, words.end());
  return behind;
}

// Words that fit nowhere are left for check_leftovers, which can say what was meant.
void keep_leftovers(CLI::App& command) {
  command.allow_extras();
  for (CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) keep_leftovers(*below);
}

// The parser reads the variables of every command's flags, chosen or not, but for those that end their own parsing.
void read_own_variables_only(CLI::App& command) {
  for (CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    below->parse_complete_callback([] {});
    read_own_variables_only(*below);
  }
}

std::string value_of(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Parsed printing(std::string text, ExitCode code) {
  Parsed parsed;
  parsed.text = std::move(text);
  parsed.exit_code = static_cast<int>(code);
  return parsed;
}

std::vector<Definition> commands() {
  return {{{"build"}, define_build},   {{"test"}, define_test},     {{"run"}, define_run},
          {{"cache"}, define_cache},   {{"store"}, define_store},   {{"finish-save"}, define_finish_save},
          {{"builds"}, define_builds}, {{"doctor"}, define_doctor}, {{"completion"}, define_completion},
          {{"man"}, define_man}};
}

void define(CLI::App& root, Invocation& invocation) {
  root.set_version_flag("--version", "hearth " HEARTH_VERSION);
  root.footer(
      "hearth COMMAND --help says more, with examples. Each flag --some-name is also the variable "
      "HEARTH_SOME_NAME, and the setting some-name of a file of settings (--config FILE).");
  // One at a time: an app, or a process, may be called like a command.
  root.require_subcommand(0, 1);
  define_wanted(commands(), 0, root, invocation);
}

// What the line begins with, as far as it is sure to name a command that needs no other.
std::vector<std::string> named_command(const std::vector<std::string>& words) {
  // These tell of all commands.
  if (words.empty() || words[0] == "completion" || words[0] == "man") return {};
  const auto is_named = [&](const Definition& command) { return command.names.front() == words[0]; };
  if (!std::ranges::any_of(commands(), is_named)) return {};
  std::vector<std::string> named{words[0]};
  if (words[0] == "cache" && words.size() > 1 && !words[1].starts_with("-")) named.push_back(words[1]);
  return named;
}

// What was read of a file of settings stays: one that is a pipe has nothing to say a second time.
class Settings {
 public:
  explicit Settings(const Environment& environment) : environment_(environment) {}

  // As Config::load().
  const Config& load(const std::string& named) {
    auto found = loaded_.find(named);
    if (found == loaded_.end()) found = loaded_.emplace(named, read(named)).first;
    if (!found->second) throw UsageError(found->second.error());
    return *found->second;
  }

 private:
  std::expected<Config, UsageError> read(const std::string& named) const {
    try {
      return Config::load(named, default_config_files(environment_));
    } catch (const UsageError& error) {
      return std::unexpected(error);
    }
  }

  const Environment& environment_;
  std::map<std::string, std::expected<Config, UsageError>> loaded_;
};

Parsed parse_by(const std::vector<std::string>& words, const Environment& environment, Settings& settings,
                std::vector<std::string> only) {
  CLI::App root("Builds apps with buildpacks, and keeps their build caches warm in an object store", "hearth");
  std::vector<std::string> rest = words;
  Invocation invocation{environment, take_behind_dashes(rest), {}, {}, std::move(only)};
  std::string config_file = value_of(environment, "HEARTH_CONFIG");
  Parsed parsed;
  std::ranges::reverse(rest);  // the parser takes its words from the back
  try {
    define(root, invocation);
    add_config_option(root, config_file);
    keep_leftovers(root);
    read_own_variables_only(root);
    root.parse(std::move(rest));
    check_leftovers(root);
    check_variables(root, environment);
    if (!invocation.check) throw UsageError("no command given; hearth --help lists them");
    const Config& config = settings.load(config_file);
    config.apply(root, environment);
    parsed.warnings = config.warnings();
    parsed.variables = config.environment();
    invocation.check();
  } catch (const CLI::CallForHelp&) {
    return printing(root.help(), ExitCode::success);
  } catch (const CLI::CallForVersion& version) {
    return printing(fmt::format("{}\n", version.what()), ExitCode::success);
  } catch (const CLI::ParseError& error) {
    return printing(fmt::format("hearth: {}\n", error.what()), ExitCode::usage);
  }
  parsed.run = invocation.run;
  return parsed;
}

}  // namespace

// To define every option of every command takes longer than many a command does. Only what is wrong with a line, or
// with the settings, is told by looking at all of them.
Parsed parse(const std::vector<std::string>& words, const Environment& environment) {
  Settings settings(environment);
  const std::vector<std::string> named = named_command(words);
  if (!named.empty()) {
    Parsed parsed = parse_by(words, environment, settings, named);
    if (parsed.exit_code == static_cast<int>(ExitCode::success)) return parsed;
  }
  return parse_by(words, environment, settings, {});
}

}  // namespace hearth::cli
