// Bytes on their way to a block blob: in one request, or in blocks that travel beside each other.
#pragma once

#include <stop_token>
#include <string>

#include "store/azure/options.h"
#include "store/azure/requests.h"
#include "store/object_store.h"

namespace hearth::store::azure {

constexpr std::uint64_t kBlocksFrom = std::uint64_t{16} << 20;  // a blob of this size and above goes in blocks
constexpr std::uint64_t kMostBlocks = 50'000;
constexpr std::uint64_t kLargestBlock = std::uint64_t{4'000} << 20;

// 8 MiB, or as much more as a blob of `size` bytes needs to fit into 50,000 blocks; whole MiB.
std::uint64_t block_size(std::uint64_t size);

// Stores the whole body under the condition. What it carries has its MD5 with it, by which the server refuses what is
// damaged on its way. Blocks of which no blob was made are forgotten by the server after a week, and by the next put to
// the same name. A block that fails is tried again by itself, and so is their putting together, unless there is a
// condition. A condition that does not hold is a conflict; with blocks it is judged when they are put together.
Result<Version> upload(Requests& requests, const AzureOptions& options, const std::string& blob, const Body& body,
                       const Condition& condition, const std::stop_token& stop);

// Whether the server refuses a few bytes with the MD5 of others (object_store.h, try_checksums).
Result<Checksums> upload_damaged(Requests& requests, const AzureOptions& options, const std::string& blob,
                                 const std::stop_token& stop);

}  // namespace hearth::store::azure
