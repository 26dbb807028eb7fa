#include "store/swift/identity.h"

#include <charconv>

#include "store/swift/documents.h"
#include "store/swift/errors.h"
#include "util/text.h"

namespace hearth::store::swift {
namespace {

constexpr std::string_view kOperation = "asking for a token";

struct Question {
  http::Request request;
  std::string document;  // what the request carries
};

Question question_of(const Login& login) {
  if (login.version == AuthVersion::v1) {
    return {{.method = "GET",
             .url = login.auth_url,
             .headers = {{"X-Auth-User", login.user.name}, {"X-Auth-Key", login.password}}},
            {}};
  }
  const std::string path = login.version == AuthVersion::v2 ? "/tokens" : "/auth/tokens";
  return {{.method = "POST",
           .url = login.auth_url + path,
           .headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}}},
          login_document(login)};
}

Result<void> check(const http::Answer& answer) {
  if (answer.ok()) return {};
  if (answer.status == 401 || answer.status == 403) {
    return fail(ErrorKind::denied, "{}: the credentials for Swift were refused ({})", kOperation, answer.status);
  }
  Error error = error_of(answer, kOperation);
  if (answer.status < 500 && error.kind != ErrorKind::unavailable) error.kind = ErrorKind::invalid;
  if (answer.status == 404) error.message += ": is the auth-url that of an identity service?";
  return std::unexpected(std::move(error));
}

std::optional<std::chrono::seconds> seconds_in(std::string_view text) {
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

Result<Session> of_v1(const http::Answer& answer) {
  Session session{.token = std::string(http::value_of(answer.headers, "X-Auth-Token")),
                  .storage_url = std::string(http::value_of(answer.headers, "X-Storage-Url"))};
  while (session.storage_url.ends_with('/')) session.storage_url.pop_back();
  if (session.token.empty()) return fail(ErrorKind::unavailable, "{}: the answer has none", kOperation);
  if (const auto life = seconds_in(http::value_of(answer.headers, "X-Auth-Token-Expires"))) {
    session.expires = std::chrono::system_clock::now() + *life;
  }
  return session;
}

Result<Session> of_catalog(const http::Answer& answer, const SwiftOptions& options) {
  const bool v2 = options.login.version == AuthVersion::v2;
  const auto parse = v2 ? parse_v2 : parse_v3;
  const Wanted wanted{.region = options.region, .interface = options.interface, .storage_url = options.storage_url};
  const Grant grant = TRY(within(kOperation, parse(answer.text(), wanted)));
  Session session{.token = v2 ? grant.token : std::string(http::value_of(answer.headers, "X-Subject-Token")),
                  .storage_url = grant.storage_url};
  if (session.token.empty()) return fail(ErrorKind::unavailable, "{}: the answer has none", kOperation);
  // Beside the service's own clock: ours may be wrong.
  const auto now = http::date_of(answer.headers);
  if (grant.expires && now) session.expires = std::chrono::system_clock::now() + (*grant.expires - *now);
  return session;
}

Result<void> check_storage_url(const std::string& url, const SwiftOptions& options) {
  if (!http::has_scheme(url, "http") && !http::has_scheme(url, "https")) {
    return fail(ErrorKind::invalid, "{}: the answer names no usable store", kOperation);
  }
  if (http::has_scheme(options.login.auth_url, "https") && !http::has_scheme(url, "https")) {
    return fail(ErrorKind::denied,
                "the identity service, which is asked by https, names a store by http: a token would travel in the "
                "open; name the right one by storage-url or OS_STORAGE_URL");
  }
  return {};
}

}  // namespace

Result<Session> session_of(const http::Answer& answer, const SwiftOptions& options) {
  TRY(check(answer));
  Session session = TRY(options.login.version == AuthVersion::v1 ? of_v1(answer) : of_catalog(answer, options));
  // What the operator says is not judged.
  if (options.storage_url.empty()) TRY(check_storage_url(session.storage_url, options));
  if (!options.storage_url.empty()) session.storage_url = options.storage_url;
  return session;
}

Result<Session> authenticate(http::Client& client, const SwiftOptions& options, const std::stop_token& stop) {
  if (!options.token.empty()) return Session{.token = options.token, .storage_url = options.storage_url};
  Question question = question_of(options.login);
  if (!question.document.empty()) question.request.content = std::as_bytes(std::span(question.document));
  const http::Answer answer = TRY(within(kOperation, client.send(question.request, stop)));
  return session_of(answer, options);
}

}  // namespace hearth::store::swift
