// Options of a command with the project's own value types. Each flag --some-name is also the variable
// HEARTH_SOME_NAME; the flag wins.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "util/error.h"

namespace hearth::cli {

// "--build-timeout" -> "HEARTH_BUILD_TIMEOUT".
std::string variable_of(std::string_view flag);

// Kubernetes sets NAME_SERVICE_HOST, NAME_PORT=tcp://…, NAME_PORT_80_TCP… in every pod for a service called NAME; true
// of those of a service called "hearth".
bool is_service_link(std::string_view name, std::string_view value);

// A fixed set of words and what each means.
template <class Value>
using Choices = std::vector<std::pair<std::string, Value>>;

// Defines the options of one command. What is bound must outlive the parsing.
class Options {
 public:
  // `environment` is where the variables of lists are looked up; the parser reads all others itself.
  Options(CLI::App& command, const std::map<std::string, std::string>& environment)
      : command_(command), environment_(environment) {}

  CLI::Option* text(const std::string& flag, std::string& value, const std::string& help);
  CLI::Option* path(const std::string& flag, std::string& value, const std::string& help);
  CLI::Option* duration(const std::string& flag, std::chrono::milliseconds& value, const std::string& help);
  CLI::Option* size(const std::string& flag, std::uint64_t& value, const std::string& help);
  CLI::Option* number(const std::string& flag, std::uint32_t& value, const std::string& help);
  CLI::Option* flag(const std::string& flag, bool& value, const std::string& help);

  // May be given several times; in the variable, one a line.
  CLI::Option* list(const std::string& flag, std::vector<std::string>& values, const std::string& help);

  template <class Value>
  CLI::Option* choice(const std::string& flag, Value& value, const Choices<Value>& choices, const std::string& help) {
    std::string words;
    for (const auto& [word, meaning] : choices) words += (words.empty() ? "" : "|") + word;
    const auto assign = [&value, choices, words, flag](const std::string& given) {
      for (const auto& [word, meaning] : choices) {
        if (word != given) continue;
        value = meaning;
        return;
      }
      throw CLI::ValidationError(flag, fmt::format("\"{}\" is none of {}", given, words));
    };
    return command_.add_option_function<std::string>(flag, assign, help)->type_name(words)->envname(variable_of(flag));
  }

  // To be called when the command's line was parsed: fills the lists that no flag named from their variables.
  void finish() const;

 private:
  struct List {
    std::vector<std::string>* values;
    std::string variable;
  };
  CLI::App& command_;
  const std::map<std::string, std::string>& environment_;
  std::vector<List> lists_;
};

}  // namespace hearth::cli
