// The XML that S3 speaks: listings, errors, multipart uploads, bulk deletion. What cannot be read is unavailable: it is
// no proper answer, and an object is never concluded from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::store::s3 {

struct ErrorDocument {
  std::string code;
  std::string message;
  std::string region;    // of the bucket, where the server names it
  std::string endpoint;  // host to ask instead
  std::string request_id;
};

// Empty members where the text is no error document (answers to HEAD have none).
ErrorDocument parse_error(std::string_view text);

struct ListedObject {
  std::string name;  // decoded, with the store's prefix
  std::uint64_t size = 0;
  std::string etag;  // without quotes
  StoreTime modified;
};

struct ListPage {
  std::vector<ListedObject> objects;
  std::string next;  // the continuation token; empty after the last page
};

// Of ListObjectsV2 with encoding-type=url.
Result<ListPage> parse_list(std::string_view text);

Result<std::string> parse_upload_id(std::string_view text);

struct Part {
  int number = 0;
  std::string etag;  // as the server sent it
};
std::string complete_document(std::span<const Part> parts);

// The ETag of a completed upload. An answer 200 may hold an error all the same.
Result<std::string> parse_completed(std::string_view text);

// Names of objects with the store's prefix.
std::string delete_document(std::span<const std::string> names);
// The first object that could not be deleted; empty code if all were.
struct DeleteFailure {
  std::string name;
  std::string code;
};
Result<DeleteFailure> parse_deleted(std::string_view text);

std::string location_document(const std::string& region);

}  // namespace hearth::store::s3
