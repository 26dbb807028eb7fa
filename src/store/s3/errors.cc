#include "store/s3/errors.h"

#include <algorithm>
#include <array>

#include "util/text.h"

namespace hearth::store::s3 {
namespace {

struct Meaning {
  std::string_view code;
  ErrorKind kind;
};

// Where the code says more than the status.
constexpr std::array kMeanings{
    Meaning{"NoSuchBucket", ErrorKind::invalid},
    Meaning{"NoSuchUpload", ErrorKind::unavailable},  // aborted or expired: the whole put may be tried again
    Meaning{"InvalidPart", ErrorKind::unavailable},
    Meaning{"IncompleteBody", ErrorKind::unavailable},
    Meaning{"RequestTimeout", ErrorKind::unavailable},
    Meaning{"OperationAborted", ErrorKind::unavailable},
    Meaning{"ConditionalRequestConflict", ErrorKind::unavailable},  // 409: a race is not decided yet
    Meaning{"SlowDown", ErrorKind::unavailable},
    Meaning{"ExpiredToken", ErrorKind::denied},
    Meaning{"TokenRefreshRequired", ErrorKind::denied},
    Meaning{"InvalidToken", ErrorKind::denied},
    Meaning{"RequestTimeTooSkewed", ErrorKind::denied},
    Meaning{"AuthorizationHeaderMalformed", ErrorKind::denied},
    Meaning{"QuotaExceeded", ErrorKind::denied},
    Meaning{"BucketAlreadyExists", ErrorKind::denied},  // somebody else's
};

constexpr std::array<std::string_view, 4> kDamage{"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch",
                                                  "XAmzContentChecksumMismatch"};

// What was there of an upload is gone: the same step fails again, the whole put need not.
bool is_lost(std::string_view code) {
  return code == "NoSuchUpload" || code == "InvalidPart";
}

std::string request_id(const http::Answer& answer, const ErrorDocument& document) {
  if (!document.request_id.empty()) return document.request_id;
  return std::string(http::value_of(answer.headers, "x-amz-request-id"));
}

}  // namespace

bool is_damage(std::string_view code) {
  return std::ranges::find(kDamage, code) != kDamage.end();
}

ErrorKind kind_of(int status, std::string_view code) {
  if (is_damage(code)) return ErrorKind::unavailable;
  const auto meaning = std::ranges::find(kMeanings, code, &Meaning::code);
  if (meaning != kMeanings.end()) return meaning->kind;
  // An error behind a status of success: the server had promised too much.
  return status < 300 ? ErrorKind::unavailable : http::kind_of_status(status);
}

Error error_of(const http::Answer& answer, const ErrorDocument& document, std::string_view operation,
               std::string_view bucket) {
  if (document.code == "NoSuchBucket") {
    return {ErrorKind::invalid,
            fmt::format("{}: there is no bucket {}; create it, or let --create-store do so", operation, bucket)};
  }
  const std::string code = document.code.empty() ? "" : " " + util::shown(document.code);
  const std::string id = request_id(answer, document);
  const std::string request = id.empty() ? "" : fmt::format(" (request {})", util::shown(id));
  return {kind_of(answer.status, document.code),
          fmt::format("{}: the server answered {}{}{}", operation, answer.status, code, request),
          http::retry_after(answer.headers), is_lost(document.code) ? Retry::whole : Retry::step};
}

}  // namespace hearth::store::s3
