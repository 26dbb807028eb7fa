// Bytes on their way to Google Cloud Storage: in one request, or in an upload that goes on after a fault.
#pragma once

#include <stop_token>
#include <string>

#include "store/gcs/documents.h"
#include "store/gcs/requests.h"
#include "store/object_store.h"

namespace hearth::store::gcs {

// From this size on an upload can be resumed; which costs a request more.
constexpr std::uint64_t kResumableFrom = std::uint64_t{16} << 20;
constexpr std::uint64_t kLargestObject = std::uint64_t{5} << 40;

struct NewObject {
  std::string name;           // with the store's prefix
  std::string storage_class;  // may be empty
  const Body& body;
  const Condition& condition;
};

// Stores the whole body; the server refuses what does not have its CRC-32C. A server that stores damaged bytes all the
// same (it names another one) is unavailable, and what it stored is removed. Reads the body twice.
Result<Version> upload(Requests& requests, const NewObject& object, const std::stop_token& stop);

// Whether the server refuses a few bytes with the CRC-32C of others (object_store.h, try_checksums).
Result<Checksums> upload_damaged(Requests& requests, const std::string& name, const std::string& storage_class,
                                 const std::stop_token& stop);

}  // namespace hearth::store::gcs
