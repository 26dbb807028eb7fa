// The one place that says what S3's errors mean.
#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "store/s3/documents.h"
#include "util/error.h"

namespace hearth::store::s3 {

// What a caller can do about this status and error code (Amazon's "Error responses"; codes of Ceph, MinIO and Swift
// among them). `code` may be empty.
ErrorKind kind_of(int status, std::string_view code);

// Whether the server says by this code that the content does not have its checksum.
bool is_damage(std::string_view code);

// The error of an answer that is none of 2xx: names the server's code and request id, and carries its Retry-After. An
// absent bucket is invalid, unlike an absent object, and the message says what to do. `operation` is for the message.
Error error_of(const http::Answer& answer, const ErrorDocument& document, std::string_view operation,
               std::string_view bucket);

}  // namespace hearth::store::s3
