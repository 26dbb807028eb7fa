// The one place that says what Swift's errors mean.
#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "util/error.h"

namespace hearth::store::swift {

// Of a content that has not the ETag that it was sent with.
inline constexpr int kDamagedStatus = 422;

// What a caller can do about this status and the answer's text (statuses of OpenStack's Object Storage API; codes of
// Ceph's Swift API, which are the whole text). `text` may be empty.
ErrorKind kind_of(int status, std::string_view text);

// The error of an answer that is none of 2xx: names the server's code and request id, and carries its Retry-After.
// `operation` is for the message.
Error error_of(const http::Answer& answer, std::string_view operation);

// Of a container that is not there; the message says what to do.
Error absent_container(std::string_view container);

}  // namespace hearth::store::swift
