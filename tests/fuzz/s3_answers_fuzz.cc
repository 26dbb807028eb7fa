// What an S3 server sends: XML, and the header fields that are read.
#include "fuzz/fuzz.h"
#include "http/headers.h"
#include "store/s3/documents.h"
#include "util/text.h"

namespace hearth::fuzz {
namespace {

namespace s3 = hearth::store::s3;

void read_header(const std::string& value) {
  const http::Headers headers = {{"Date", value}, {"Retry-After", value}, {"Content-Range", value}};
  const auto wait = http::retry_after(headers);
  expect(wait.count() >= 0 && wait <= std::chrono::hours(1), "nobody waits longer than an hour");
  static_cast<void>(http::content_range(headers));
  static_cast<void>(http::date_of(headers));
  if (const auto time = util::parse_utc_timestamp(value)) {
    expect(util::parse_utc_timestamp(util::utc_timestamp(*time)) == time, "a time comes back");
  }
}

const Registration kTarget("s3_answers", [](Bytes input) {
  const std::string_view text = text_of(input);
  if (const auto page = s3::parse_list(text)) {
    for (const s3::ListedObject& object : page->objects) expect(!object.name.empty(), "an object has a name");
  }
  static_cast<void>(s3::parse_error(text));
  if (const auto id = s3::parse_upload_id(text)) expect(!id->empty(), "an upload has an id");
  if (const auto etag = s3::parse_completed(text)) expect(!etag->empty(), "an upload ends with an ETag");
  static_cast<void>(s3::parse_deleted(text));
  read_header(std::string(text));
});

}  // namespace
}  // namespace hearth::fuzz
