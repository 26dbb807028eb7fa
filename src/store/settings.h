// Settings that the stores of a network have in common, from their URLs and from the environment.
#pragma once

#include <initializer_list>
#include <map>
#include <string>

#include "http/client.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store {

using Environment = std::map<std::string, std::string>;

// "" where it is not set.
std::string variable(const Environment& environment, const std::string& name);

// The first that is not empty; "" if all are.
std::string first_of(std::initializer_list<std::string> values);

// connect-timeout, progress-timeout and request-timeout, where the URL has them.
Result<void> read_limits(Parameters& parameters, http::Limits& limits);

}  // namespace hearth::store
