// Waiting that a stop token ends.
#pragma once

#include <chrono>
#include <stop_token>

#include "util/error.h"

namespace hearth::store {

// Returns when the time is over; cancelled as soon as the token fires.
Result<void> pause(std::chrono::nanoseconds time, const std::stop_token& stop);

}  // namespace hearth::store
