// What all network stores read alike from their surroundings and their URL.
#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <string>

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

// A client for those who hand out credentials, which must not hold anybody up: 10 s for a request, and `connect` to
// find out that there is nobody.
http::Client quick_client(http::Proxies proxies, std::chrono::milliseconds connect);

}  // namespace hearth::store
