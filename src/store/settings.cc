#include "store/settings.h"

namespace hearth::store {

std::string variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::string first_of(std::initializer_list<std::string> values) {
  for (const std::string& value : values) {
    if (!value.empty()) return value;
  }
  return {};
}

Result<void> read_limits(Parameters& parameters, http::Limits& limits) {
  const std::optional<std::chrono::milliseconds> connect = TRY(parameters.duration("connect-timeout"));
  const std::optional<std::chrono::milliseconds> progress = TRY(parameters.duration("progress-timeout"));
  const std::optional<std::chrono::milliseconds> request = TRY(parameters.duration("request-timeout"));
  limits.connect = connect.value_or(limits.connect);
  limits.no_progress = progress.value_or(limits.no_progress);
  limits.total = request.value_or(limits.total);
  return {};
}

http::Client quick_client(http::Proxies proxies, std::chrono::milliseconds connect) {
  return http::Client({.limits = {.connect = connect,
                                  .no_progress = std::chrono::milliseconds(5'000),
                                  .total = std::chrono::milliseconds(10'000)},
                       .proxies = proxies,
                       .verification = http::Verification::full,
                       .ca_file = {},
                       .on_moved = {}});
}

}  // namespace hearth::store
