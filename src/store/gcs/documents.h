// The JSON that Google's servers speak: objects, listings, errors, tokens. What cannot be read is unavailable: it is no
// proper answer, and nothing is ever concluded from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::store::gcs {

struct ErrorDocument {
  std::string reason;   // "notFound", "conditionNotMet", "rateLimitExceeded", …
  std::string message;  // for people; of an answer that is no JSON, its text
};

// Empty members where the text has none.
ErrorDocument parse_error(std::string_view text);

// What is read of an object's resource.
struct Resource {
  std::string name;        // with the store's prefix
  std::uint64_t size = 0;  // bytes
  std::string generation;  // decimal digits
  StoreTime created;       // of this generation
  std::optional<std::uint32_t> crc32c;
};

// The members that Resource has, for the parameter `fields`, by which a server sends no others.
constexpr std::string_view kResourceFields = "name,size,generation,timeCreated,crc32c";

Result<Resource> parse_resource(std::string_view text);

struct ListPage {
  std::vector<Resource> objects;
  std::string next;  // the page token; empty after the last page
};
Result<ListPage> parse_list(std::string_view text);

// The value of a hash in the fields x-goog-hash and in resources: base64 of the four bytes, the highest first.
std::string encode_crc32c(std::uint32_t crc32c);
std::optional<std::uint32_t> decode_crc32c(std::string_view text);

// A resource of this content, for an object that is to be made. `storage_class` may be empty.
std::string object_document(std::uint32_t crc32c, const std::string& storage_class);

// `location` and `storage_class` may be empty.
std::string bucket_document(const std::string& name, const std::string& location, const std::string& storage_class);

struct TokenAnswer {
  std::string token;
  std::optional<std::chrono::seconds> lifetime;                // of OAuth
  std::optional<std::chrono::system_clock::time_point> until;  // of an impersonated service account
};
Result<TokenAnswer> parse_token(std::string_view text);

// The error code of an OAuth server: "invalid_grant"; "" where there is none.
std::string parse_token_error(std::string_view text);

}  // namespace hearth::store::gcs
