#include "store/answers.h"

#include <algorithm>

namespace hearth::store {

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.starts_with('"') && etag.ends_with('"'))
    return std::string(etag.substr(1, etag.size() - 2));
  return std::string(etag);
}

Result<Version> version_of(const http::Answer& answer) {
  Version version{unquoted(http::value_of(answer.headers, "ETag"))};
  if (version.text.empty()) return fail(ErrorKind::unavailable, "the server named no ETag");
  return version;
}

StoreTime time_of(const http::Answer& answer) {
  return http::date_of(answer.headers)
      .value_or(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

Result<ObjectInfo> info_of(const Key& key, const http::Answer& answer) {
  const Version version = TRY(version_of(answer));
  const auto modified = http::parse_date(http::value_of(answer.headers, "Last-Modified"));
  if (!modified) return fail(ErrorKind::unavailable, "the server named no time of {}", key.text());
  return ObjectInfo{
      .key = key, .size = 0, .version = version, .modified = *modified, .now = std::max(time_of(answer), *modified)};
}

Result<std::uint64_t> content_length(const http::Answer& answer) {
  const std::string text(http::value_of(answer.headers, "Content-Length"));
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || text.size() > 18) {
    return fail(ErrorKind::unavailable, "the server named no size");
  }
  return std::stoull(text);
}

}  // namespace hearth::store
