// What a stop token ends: waiting, and work that is about to start.
#pragma once

#include <chrono>
#include <stop_token>

#include "util/error.h"

namespace hearth::store {

// cancelled where the token has fired.
Result<void> go_on(const std::stop_token& stop);

// Returns when the time is over; cancelled as soon as the token fires.
Result<void> pause(std::chrono::nanoseconds time, const std::stop_token& stop);

}  // namespace hearth::store
