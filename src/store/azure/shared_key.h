// Shared Key signatures of requests to Azure Blob Storage ("Authorize with Shared Key").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "http/headers.h"

namespace hearth::store::azure {

using Query = std::vector<std::pair<std::string, std::string>>;  // names and values as they are meant

// What is signed of a request: everything but the content, whose size and MD5 are.
struct Signable {
  std::string method;
  std::string path;  // of the URL, encoded as it is sent
  Query query;
  http::Headers headers;  // with x-ms-date and x-ms-version, and without Content-Length
  std::uint64_t content_length = 0;
};

// The text that the signature is made of.
std::string string_to_sign(const Signable& request, std::string_view account);

// The value of the Authorization field. `key` are the account key's bytes.
std::string authorization(const Signable& request, std::string_view account, std::string_view key);

}  // namespace hearth::store::azure
