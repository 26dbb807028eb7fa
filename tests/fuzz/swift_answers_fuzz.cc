// What a Swift server and an identity service send: JSON, and the header fields of a login.
#include "fuzz/fuzz.h"
#include "http/transport.h"
#include "store/swift/documents.h"
#include "store/swift/errors.h"
#include "store/swift/identity.h"
#include "store/swift/upload.h"

namespace hearth::fuzz {
namespace {

namespace swift = hearth::store::swift;

void expect_usable(const Result<swift::Session>& session) {
  if (!session) return;
  expect(!session->token.empty(), "a session has a token");
  expect(http::has_scheme(session->storage_url, "https"), "a token that came by TLS stays there");
}

void log_in(std::string_view text) {
  http::Answer answer{.status = 201, .headers = {{"X-Subject-Token", "t"}}, .body = {}};
  const auto bytes = std::as_bytes(std::span(text));
  answer.body.assign(bytes.begin(), bytes.end());
  swift::SwiftOptions options;
  options.login.auth_url = "https://id";
  for (const auto version : {swift::AuthVersion::v2, swift::AuthVersion::v3}) {
    options.login.version = version;
    expect_usable(swift::session_of(answer, options));
  }
  options.login.version = swift::AuthVersion::v1;
  answer.headers = {{"X-Auth-Token", std::string(text)},
                    {"X-Storage-Url", std::string(text)},
                    {"X-Auth-Token-Expires", std::string(text)}};
  expect_usable(swift::session_of(answer, options));
}

const Registration kTarget("swift_answers", [](Bytes input) {
  const std::string_view text = text_of(input);
  if (const auto page = swift::parse_list(text)) {
    for (const swift::ListedObject& object : *page) {
      expect(!object.name.empty() && !object.etag.empty(), "an object has a name and a version");
    }
  }
  if (const auto known = swift::parse_capabilities(text)) {
    expect(known->deletes_at_once <= 1000, "deletions have a bound");
    const std::uint64_t size = std::uint64_t{1} << 40;
    const auto each = swift::segment_size(size, 0, *known);
    if (each && *each > 0) {
      expect(*each <= known->largest_object, "a segment fits");
      expect((size + *each - 1) / *each <= known->most_segments, "there are not too many segments");
    }
  }
  static_cast<void>(swift::parse_deleted(text));
  static_cast<void>(swift::kind_of(404, text));
  log_in(text);
});

}  // namespace
}  // namespace hearth::fuzz
