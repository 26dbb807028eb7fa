#include "cli/options.h"

#include <cctype>

#include "util/text.h"

namespace hearth::cli {

namespace {

// A flag whose text `parse` turns into the value; what it refuses becomes the parser's own kind of error.
template <class Value, class Parse>
CLI::Option* add_parsed(CLI::App& command, const std::string& flag, Value& value, const std::string& help,
                        Parse parse) {
  const auto assign = [&value, flag, parse](const std::string& given) {
    const Result<Value> parsed = parse(given);
    if (!parsed) throw CLI::ValidationError(flag, parsed.error().message);
    value = *parsed;
  };
  return command.add_option_function<std::string>(flag, assign, help)->envname(variable_of(flag));
}

}  // namespace

std::string variable_of(std::string_view flag) {
  std::string name = "HEARTH";
  for (const char c : flag.substr(1)) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

bool is_service_link(std::string_view name, std::string_view value) {
  return name.starts_with("HEARTH_SERVICE_") || name.starts_with("HEARTH_PORT_") ||
         (name == "HEARTH_PORT" && value.contains("://"));
}

CLI::Option* Options::text(const std::string& flag, std::string& value, const std::string& help) {
  return command_.add_option(flag, value, help)->envname(variable_of(flag));
}

CLI::Option* Options::path(const std::string& flag, std::string& value, const std::string& help) {
  return text(flag, value, help)->type_name("PATH");
}

CLI::Option* Options::duration(const std::string& flag, std::chrono::milliseconds& value, const std::string& help) {
  return add_parsed(command_, flag, value, help, [](const std::string& given) { return util::parse_duration(given); })
      ->type_name("DURATION")
      ->default_str(util::human_duration(value));
}

CLI::Option* Options::size(const std::string& flag, std::uint64_t& value, const std::string& help) {
  return add_parsed(command_, flag, value, help, [](const std::string& given) { return util::parse_size(given); })
      ->type_name("SIZE")
      ->default_str(util::human_size(value));
}

CLI::Option* Options::number(const std::string& flag, std::uint32_t& value, const std::string& help) {
  return command_.add_option(flag, value, help)->type_name("NUMBER")->envname(variable_of(flag));
}

CLI::Option* Options::flag(const std::string& flag, bool& value, const std::string& help) {
  return command_.add_flag(flag, value, help)->envname(variable_of(flag));
}

CLI::Option* Options::list(const std::string& flag, std::vector<std::string>& values, const std::string& help) {
  const std::string variable = variable_of(flag);
  lists_.push_back({&values, variable});
  return command_.add_option(flag, values, fmt::format("{} (may be repeated; {}: one a line)", help, variable))
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Options::finish() const {
  for (const List& list : lists_) {
    const auto variable = environment_.find(list.variable);
    if (!list.values->empty() || variable == environment_.end()) continue;
    for (const std::string_view line : util::split(variable->second, '\n')) {
      if (!util::trim(line).empty()) list.values->emplace_back(line);
    }
  }
}

}  // namespace hearth::cli
