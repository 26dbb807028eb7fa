#include "store/settings.h"

#include <algorithm>
#include <array>

namespace hearth::store {

namespace {

constexpr std::chrono::milliseconds kMetadataConnect{1'000};

}  // namespace

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

bool keeps_secrets(std::string_view url, std::initializer_list<std::string_view> other_hosts) {
  if (http::has_scheme(url, "https")) return true;
  if (!http::has_scheme(url, "http")) return false;
  const std::string_view rest = url.substr(std::string_view("http://").size());
  // What stands before an '@' is a user, however much it looks like a host.
  if (rest.substr(0, rest.find_first_of("/?#")).contains('@')) return false;
  const auto is_at = [rest](std::string_view host) {
    const std::string_view behind = rest.substr(std::min(host.size(), rest.size()));
    return rest.starts_with(host) && (behind.empty() || behind.starts_with(':') || behind.starts_with('/'));
  };
  constexpr std::array<std::string_view, 3> kHere = {"127.0.0.1", "localhost", "[::1]"};
  return std::ranges::any_of(kHere, is_at) || std::ranges::any_of(other_hosts, is_at);
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

http::Client metadata_client() {
  return quick_client(http::Proxies::none, kMetadataConnect);
}

Result<std::optional<http::Answer>> ask_metadata_service(http::Client& client, const http::Request& request,
                                                         const std::stop_token& stop) {
  const auto began = std::chrono::steady_clock::now();
  Result<http::Answer> answer = client.send(request, stop);
  // That nobody is there is known at once, or when the time to connect is up; later, somebody is.
  const auto waited = std::chrono::steady_clock::now() - began;
  if (!answer && waited < kMetadataConnect && !stop.stop_requested()) answer = client.send(request, stop);
  const bool is_slow = waited >= 2 * kMetadataConnect;
  if (!answer && (is_slow || answer.error().kind == ErrorKind::cancelled)) {
    return std::unexpected(std::move(answer).error());
  }
  if (!answer) return std::optional<http::Answer>();
  if (http::kind_of_status(answer->status) == ErrorKind::unavailable) {
    return std::unexpected(Error{ErrorKind::unavailable, fmt::format("the server answered {}", answer->status),
                                 http::retry_after(answer->headers)});
  }
  return std::optional(*std::move(answer));
}

}  // namespace hearth::store
