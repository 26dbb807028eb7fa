// An object on its way in parts, several at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "store/object_store.h"

namespace hearth::store {

// Sends one part, from any of several threads; `index` counts from 0. Called again for a part whose sending was
// unavailable, unless another attempt at the part alone is in vain (Retry).
using SendPart = std::function<Result<void>(std::size_t index, ByteRange part, const std::stop_token& stop)>;

// Parts of `part_size` bytes, the last one of what is left, `transfers` at a time; each is tried again by itself
// (RetryPolicy's defaults). The first failure that remains stops all others and is returned; so does the token
// (cancelled). Returns when no thread is left.
Result<void> send_parts(std::uint64_t size, std::uint64_t part_size, std::uint32_t transfers, const SendPart& send,
                        const std::stop_token& stop);

}  // namespace hearth::store
