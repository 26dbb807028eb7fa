#include "store/gcs/errors.h"

#include <algorithm>
#include <array>

#include "util/text.h"

namespace hearth::store::gcs {
namespace {

struct Meaning {
  std::string_view reason;
  ErrorKind kind;
};

// Where the reason says more than the status.
constexpr std::array kMeanings{
    Meaning{"rateLimitExceeded", ErrorKind::unavailable},  // 403 as well as 429
    Meaning{"userRateLimitExceeded", ErrorKind::unavailable}, Meaning{"uploadBrokenConnection", ErrorKind::unavailable},
    Meaning{"uploadTooSmall", ErrorKind::unavailable},        Meaning{"internalError", ErrorKind::unavailable},
    Meaning{"backendError", ErrorKind::unavailable},          Meaning{"conditionNotMet", ErrorKind::conflict},
};

constexpr std::string_view kNoBucket = "bucket does not exist";
// Of a content whose hash is not the announced one: it was damaged on its way.
constexpr std::string_view kDamaged = "doesn't match calculated";

}  // namespace

bool names_what_is_absent(const ErrorDocument& document) {
  return document.message.contains(kNoBucket) || document.message.starts_with("No such object");
}

bool is_damage(int status, const ErrorDocument& document) {
  return status == 400 && document.message.contains(kDamaged);
}

ErrorKind kind_of(int status, const ErrorDocument& document) {
  if (status == 404 && document.message.contains(kNoBucket)) return ErrorKind::invalid;
  if (is_damage(status, document)) return ErrorKind::unavailable;
  if (status == 410) return ErrorKind::unavailable;  // an upload that the server has given up: from its beginning
  const auto meaning = std::ranges::find(kMeanings, document.reason, &Meaning::reason);
  return meaning != kMeanings.end() ? meaning->kind : http::kind_of_status(status);
}

Error absent_bucket(std::string_view operation, std::string_view bucket) {
  return {ErrorKind::invalid,
          fmt::format("{}: there is no bucket {}; create it, or let --create-store do so", operation, bucket)};
}

Error error_of(const http::Answer& answer, std::string_view operation, std::string_view bucket) {
  const ErrorDocument document = parse_error(answer.text());
  const ErrorKind kind = kind_of(answer.status, document);
  if (kind == ErrorKind::invalid && answer.status == 404) return absent_bucket(operation, bucket);
  const std::string reason = document.reason.empty() ? "" : " " + util::shown(document.reason);
  const std::string id(http::value_of(answer.headers, "X-GUploader-UploadID"));
  const std::string request = id.empty() ? "" : fmt::format(" (request {})", util::shown(id));
  return {kind, fmt::format("{}: the server answered {}{}{}", operation, answer.status, reason, request),
          http::retry_after(answer.headers)};
}

}  // namespace hearth::store::gcs
