// AWS Signature Version 4 ("Authenticating Requests" in Amazon S3's API reference, and "AWS API request signing" in the
// IAM user guide). Paths are taken as they are sent, encoded once, as S3 has it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/headers.h"
#include "store/s3/credentials.h"

namespace hearth::store::s3 {

// Names and values as they are meant, not encoded.
using Query = std::vector<std::pair<std::string, std::string>>;

// What is signed of a request.
struct Signable {
  std::string method;
  std::string path = "/";  // percent-encoded
  Query query = {};
  http::Headers headers = {};     // all of them are signed; Host must be one
  std::string payload_hash = {};  // hexadecimal SHA-256, or UNSIGNED-PAYLOAD
};

struct SigningScope {
  std::string region;
  std::string service = "s3";
  std::chrono::sys_seconds time;
};

constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// "20150830T123600Z", of X-Amz-Date.
std::string amz_date(std::chrono::sys_seconds time);

// The query as it is sent and signed: encoded, in the order of the names; without '?'.
std::string canonical_query(Query query);

// The value of Authorization. X-Amz-Date must be among the headers, with the time of the scope.
std::string authorization(const Signable& request, const Credentials& credentials, const SigningScope& scope);

// The query of a presigned URL, which is valid for `lifetime` (at most 7 days) from the scope's time on; without '?'.
// The request that uses it must have the same headers.
std::string presigned_query(const Signable& request, const Credentials& credentials, const SigningScope& scope,
                            std::chrono::seconds lifetime);

}  // namespace hearth::store::s3
