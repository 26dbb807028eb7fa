// How contents reach a container: in one request, or as segments under one manifest (static large objects).
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "store/swift/documents.h"
#include "store/swift/options.h"
#include "store/swift/requests.h"
#include "util/error.h"

namespace hearth::store::swift {

// Names of segments begin so, and those of nothing else: the segments of an object NAME lie at
// .hearth-segments/NAME/UPLOAD/NUMBER in the same container.
inline constexpr std::string_view kSegments = ".hearth-segments/";

// Smaller objects are sent without asking what the server can take.
inline constexpr std::uint64_t kAlwaysTaken = std::uint64_t{16} << 20;

// Bytes of each segment of an object of `size` bytes, or zero if it goes in one request: up to the server's limit, or
// up to `wanted`, if that is not zero. Else segments of `wanted` bytes or 1 GiB, larger where the server takes too few
// of them. invalid: the server cannot hold so large an object.
Result<std::uint64_t> segment_size(std::uint64_t size, std::uint64_t wanted, const Capabilities& server);

// PUT of the whole body in one request, with the MD5 by which the server refuses what is damaged on its way, and by
// which its answer is checked. Reads it twice. `headers`: the condition, or none. An answer 412 is a conflict.
Result<Version> put_whole(Requests& requests, const std::string& name, const Body& body, const http::Headers& headers,
                          const std::stop_token& stop);

// Whether the server refuses a few bytes with the ETag of others (object_store.h, try_checksums).
Result<Checksums> put_damaged(Requests& requests, const std::string& name, const std::stop_token& stop);

// The same in segments, `transfers` at a time; a segment that fails is tried again by itself. The segments
// of what fails in the end are removed, also after `stop` has fired, as far as ten seconds suffice for that; they stay
// where the manifest may have been stored, although no answer said so.
Result<Version> put_in_segments(Requests& requests, const SwiftOptions& options, const std::string& name,
                                const Body& body, std::uint64_t bytes_each, const http::Headers& headers,
                                const std::stop_token& stop);

}  // namespace hearth::store::swift
