// What answers over HTTP say of an object, in the fields that all stores use alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/client.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::store {

// An ETag without its quotes.
std::string unquoted(std::string_view etag);

// The ETag as a version; an answer without one is unavailable.
Result<Version> version_of(const http::Answer& answer);

// All but the size, from ETag, Last-Modified and Date; a server that does not tell the time has ours, and one that
// rounds an object's time up is no earlier than that. An answer that lacks one of the others is unavailable.
Result<ObjectInfo> info_of(const Key& key, const http::Answer& answer);

// Content-Length, of an answer to HEAD for example; unavailable where there is none.
Result<std::uint64_t> content_length(const http::Answer& answer);

// The server's clock, or ours if it does not tell.
StoreTime time_of(const http::Answer& answer);

}  // namespace hearth::store
