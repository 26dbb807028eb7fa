// The one place that says what Azure Blob Storage's errors mean.
#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "util/error.h"

namespace hearth::store::azure {

// The server's code of an answer that is none of 2xx: of its field x-ms-error-code, else of its document; may be empty.
std::string code_of(const http::Answer& answer);

// Whether the server says by this code that the content does not have its checksum.
bool is_damage(std::string_view code);

// What a caller can do about this status and error code ("Blob service error codes", "Common REST API error codes").
// `code` may be empty.
ErrorKind kind_of(int status, std::string_view code);

// The error of an answer that is none of 2xx: names the server's code and request id, and carries its Retry-After. An
// absent container is invalid, unlike an absent blob, and the message says what to do. `operation` is for the message.
Error error_of(const http::Answer& answer, std::string_view operation, std::string_view container);

}  // namespace hearth::store::azure
