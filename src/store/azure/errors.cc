#include "store/azure/errors.h"

#include <algorithm>
#include <array>

#include "store/azure/documents.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

constexpr std::string_view kNoContainer = "ContainerNotFound";

struct Meaning {
  std::string_view code;
  ErrorKind kind;
};

// Where the code says more than the status.
constexpr std::array kMeanings{
    Meaning{kNoContainer, ErrorKind::invalid},
    Meaning{"IncompleteBody", ErrorKind::unavailable},
    // Another writer's put has swept the blocks away: the whole put may be tried again.
    Meaning{"InvalidBlockList", ErrorKind::unavailable},
    Meaning{"InvalidBlobOrBlock", ErrorKind::unavailable},
    Meaning{"ContainerBeingDeleted", ErrorKind::unavailable},
    Meaning{"AccountBeingCreated", ErrorKind::unavailable},
    Meaning{"OperationTimedOut", ErrorKind::unavailable},
    Meaning{"ServerBusy", ErrorKind::unavailable},
    Meaning{"InvalidAuthenticationInfo", ErrorKind::denied},
    Meaning{"NoAuthenticationInformation", ErrorKind::denied},
    // Statuses 409 and 412, but no other writer of ours.
    Meaning{"PublicAccessNotPermitted", ErrorKind::denied},
    Meaning{"ContainerDisabled", ErrorKind::denied},
    Meaning{"BlobImmutableDueToPolicy", ErrorKind::denied},
    Meaning{"BlobImmutableDueToLegalHold", ErrorKind::denied},
    Meaning{"ContainerHasLegalHold", ErrorKind::denied},
    Meaning{"LeaseIdMissing", ErrorKind::denied},
    Meaning{"LeaseIdMismatchWithBlobOperation", ErrorKind::denied},
    Meaning{"BlobArchived", ErrorKind::invalid},
    Meaning{"BlobBeingRehydrated", ErrorKind::invalid},
    Meaning{"BlobOperationNotSupported", ErrorKind::invalid},
    Meaning{"InvalidBlobType", ErrorKind::invalid},
    Meaning{"BlockCountExceedsLimit", ErrorKind::invalid},
    Meaning{"FeatureVersionMismatch", ErrorKind::invalid},
};

// What was there of an upload is gone: the same step fails again, the whole put need not.
bool is_lost(std::string_view code) {
  return code == "InvalidBlockList" || code == "InvalidBlobOrBlock";
}

}  // namespace

std::string code_of(const http::Answer& answer) {
  const std::string_view code = http::value_of(answer.headers, "x-ms-error-code");
  return code.empty() ? parse_error_code(answer.text()) : std::string(code);
}

bool is_damage(std::string_view code) {
  return code == "Md5Mismatch" || code == "Crc64Mismatch";
}

ErrorKind kind_of(int status, std::string_view code) {
  if (is_damage(code)) return ErrorKind::unavailable;
  const auto meaning = std::ranges::find(kMeanings, code, &Meaning::code);
  return meaning != kMeanings.end() ? meaning->kind : http::kind_of_status(status);
}

Error error_of(const http::Answer& answer, std::string_view operation, std::string_view container) {
  const std::string code = code_of(answer);
  if (code == kNoContainer) {
    return {ErrorKind::invalid,
            fmt::format("{}: there is no container {}; create it, or let --create-store do so", operation, container)};
  }
  const std::string_view id = http::value_of(answer.headers, "x-ms-request-id");
  const std::string request = id.empty() ? "" : fmt::format(" (request {})", util::shown(id));
  return {kind_of(answer.status, code),
          fmt::format("{}: the server answered {}{}{}{}", operation, answer.status, code.empty() ? "" : " ",
                      util::shown(code), request),
          http::retry_after(answer.headers), is_lost(code) ? Retry::whole : Retry::step};
}

}  // namespace hearth::store::azure
