#include "store/swift/requests.h"

#include "store/swift/errors.h"
#include "util/text.h"

namespace hearth::store::swift {
namespace {

constexpr int kUnauthorized = 401;

// Beside the "/v1" of the account's URL: "/info" at OpenStack, "/swift/info" at Ceph.
std::string info_url(const std::string& storage_url) {
  const std::size_t host = storage_url.find("://") + 3;
  const std::size_t version = storage_url.find("/v1", host);
  const std::size_t end = version != std::string::npos ? version : storage_url.find('/', host);
  return storage_url.substr(0, end) + "/info";
}

// Bulk deletion asks for permission once for each object, and tells of a refused token inside of an answer 200.
bool is_unauthorized(const Call& call, const http::Answer& answer) {
  if (answer.status == kUnauthorized) return true;
  if (call.of != Call::Of::account || !answer.ok()) return false;
  const Result<DeleteFailure> failure = parse_deleted(answer.text());
  return failure && failure->status.starts_with("401");
}

}  // namespace

Requests::Requests(const SwiftOptions& options)
    : options_(options),
      client_(options.http),
      sessions_("Swift",
                {{"the login",
                  [this](const std::stop_token& stop) -> Result<std::optional<Session>> {
                    Session session = TRY(authenticate(client_, options_, stop));
                    return session;
                  }}},
                std::chrono::system_clock::now) {}

std::string Requests::path_of(std::string_view object) const {
  return "/" + util::percent_encode(options_.container) + "/" + util::percent_encode_path(object);
}

http::Request Requests::addressed(const Call& call, const Session& session) const {
  http::Request request{.method = call.method,
                        .url = session.storage_url,
                        .headers = call.headers,
                        .content = call.content,
                        .answer_limit = call.answer_limit,
                        .dead_connection = call.dead_connection,
                        .answering = call.answering};
  if (call.of == Call::Of::object) request.url += path_of(call.object);
  if (call.of == Call::Of::container) request.url += "/" + util::percent_encode(options_.container);
  if (!call.query.empty()) request.url += "?" + call.query;
  request.headers.push_back({"X-Auth-Token", session.token});
  return request;
}

Result<http::Answer> Requests::send(const Call& call, const std::stop_token& stop) {
  for (bool again = false;; again = true) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped before {}", call.method);
    const Session session = TRY(sessions_.get(stop));
    http::Answer answer = TRY(client_.send(addressed(call, session), stop));
    if (answer.ok() && call.of != Call::Of::account) container_seen_ = true;
    if (again || !is_unauthorized(call, answer)) return answer;
    sessions_.forget(session);
  }
}

Error Requests::explain(const http::Answer& answer, std::string_view operation, const std::stop_token& stop) {
  Error error = error_of(answer, operation);
  if (answer.status != kNotFound) return error;
  bool absent = error.kind == ErrorKind::invalid;
  if (!absent && !container_seen_) {
    const Result<http::Answer> container = send({.method = "HEAD", .of = Call::Of::container}, stop);
    if (!container) return container.error();
    if (kind_of(container->status, {}) == ErrorKind::unavailable) return error_of(*container, operation);
    absent = container->status == kNotFound;
    // Whoever may not look at the container may still read what is in it.
    container_seen_ = !absent;
  }
  if (!absent) return error;
  Error missing = absent_container(options_.container);
  missing.message = fmt::format("{}: {}", operation, missing.message);
  return missing;
}

Result<http::Answer> Requests::demand(const Call& call, std::string_view operation, const std::stop_token& stop) {
  http::Answer answer = TRY(within(operation, send(call, stop)));
  if (answer.ok()) return answer;
  return std::unexpected(explain(answer, operation, stop));
}

Result<Capabilities> Requests::capabilities(const std::stop_token& stop) {
  const std::lock_guard lock(mutex_);
  if (capabilities_) return *capabilities_;
  const Session session = TRY(sessions_.get(stop));
  const http::Answer answer =
      TRY(within("asking what the server can do", client_.send({.url = info_url(session.storage_url)}, stop)));
  if (!answer.ok()) {
    const Error error = error_of(answer, "asking what the server can do");
    if (error.kind == ErrorKind::unavailable) return std::unexpected(error);
  }
  // Servers that keep it to themselves answer 403, 404, or with something else.
  capabilities_ = answer.ok() ? parse_capabilities(answer.text()).value_or(Capabilities{}) : Capabilities{};
  return *capabilities_;
}

}  // namespace hearth::store::swift
