// The one place that says what the errors of Google Cloud Storage mean.
#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "store/gcs/documents.h"
#include "util/error.h"

namespace hearth::store::gcs {

// What a caller can do about this status and error document ("HTTP status and error codes for JSON"). A bucket that is
// absent, as far as the document tells it from an object, is invalid.
ErrorKind kind_of(int status, const ErrorDocument& document);

// Whether the server says that the content does not have its checksum.
bool is_damage(int status, const ErrorDocument& document);

// Whether the document says which of bucket and object is absent; Google's does, emulators' need not.
bool names_what_is_absent(const ErrorDocument& document);

// "there is no bucket …", and what to do.
Error absent_bucket(std::string_view operation, std::string_view bucket);

// The error of an answer that is none of 2xx: names the server's reason and its id of the request, and carries its
// Retry-After. `operation` is for the message.
Error error_of(const http::Answer& answer, std::string_view operation, std::string_view bucket);

}  // namespace hearth::store::gcs
