#include "util/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <string_view>

namespace hearth::util {

std::string architecture() {
  utsname system{};
  ::uname(&system);
  const std::string_view machine = system.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.try_emplace(std::string(text.substr(0, equals)), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace hearth::util
