// Bytes on their way to S3: in one request, or in parts that travel beside each other.
#pragma once

#include <stop_token>
#include <string>

#include "store/object_store.h"
#include "store/s3/options.h"
#include "store/s3/requests.h"

namespace hearth::store::s3 {

// An object of this size and above goes in parts, unless its put has a condition, which not every server honours then.
constexpr std::uint64_t kPartsFrom = std::uint64_t{16} << 20;
constexpr std::uint64_t kLargestPart = std::uint64_t{5} << 30;  // of one request, too
constexpr std::uint64_t kLargestObject = std::uint64_t{5} << 40;

// 8 MiB, or as much more as an object of `size` bytes needs to fit into 10,000 parts; whole MiB.
std::uint64_t part_size(std::uint64_t size);

// The headers of what creates an object: encryption, storage class, content type.
http::Headers creation_headers(const S3Options& options);

// PUT of these bytes of the body, with the SHA-256 and MD5 by which the server refuses what is damaged on its way.
// Reads them twice.
Result<Call> put_call(const std::string& object, const Body& body, ByteRange part, const std::stop_token& stop);

// Stores the whole body in parts, `transfers` at a time; a part that fails is tried again by itself. An upload that
// is gone after an answer that did not tell is looked for, and taken for complete if the object has its ETag. What
// fails in the end is aborted, also after `stop` has fired, so that no parts stay behind.
Result<Version> upload_in_parts(Requests& requests, const S3Options& options, const std::string& object,
                                const Body& body, const std::stop_token& stop);

// Whether the server refuses a few bytes with the MD5 of others (object_store.h, try_checksums). Their SHA-256 is
// right: a wrong one may be answered as a wrong signature.
Result<Checksums> upload_damaged(Requests& requests, const S3Options& options, const std::string& object,
                                 const std::stop_token& stop);

}  // namespace hearth::store::s3
