// What all network stores read alike from their surroundings and their URL.
#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "http/client.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store {

// As util::environment() has it.
using Environment = std::map<std::string, std::string>;

// "" where it is not set.
std::string variable(const Environment& environment, const std::string& name);

// The first that is not empty; "" if all are.
std::string first_of(std::initializer_list<std::string> values);

// Takes connect-timeout, progress-timeout and request-timeout; what is not given stays as it is.
Result<void> read_limits(Parameters& parameters, http::Limits& limits);

// Whether a secret may travel there: https, or http to 127.0.0.1, [::1], localhost, or one of these other hosts.
bool keeps_secrets(std::string_view url, std::initializer_list<std::string_view> other_hosts = {});

// A client for those who hand out credentials, which must not hold anybody up: 10 s for a request, and `connect` to
// find out that there is nobody.
http::Client quick_client(http::Proxies proxies, std::chrono::milliseconds connect);

// For a cloud's metadata service, which is near or not at all: no proxies, and a second to connect.
http::Client metadata_client();

// The first question to it. Absent: nobody answers there, so this is no machine of that cloud. A connection that breaks
// is tried once more. An answer that only says that the service is busy (429, 5xx) is unavailable.
Result<std::optional<http::Answer>> ask_metadata_service(http::Client& client, const http::Request& request,
                                                         const std::stop_token& stop);

}  // namespace hearth::store
