#include "store/gcs/requests.h"

#include "store/gcs/errors.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

constexpr int kUnauthorized = 401;
constexpr int kNotFound = 404;

std::string with_query(std::string url, const Query& query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    url += fmt::format("{}{}={}", i == 0 ? "?" : "&", query[i].first, util::percent_encode(query[i].second));
  }
  return url;
}

// Where Google continues uploads.
bool is_google_host(std::string_view url) {
  constexpr std::string_view kSecure = "https://";
  if (!url.starts_with(kSecure)) return false;
  url.remove_prefix(kSecure.size());
  const std::string_view host = url.substr(0, url.find_first_of("/?#"));
  return !host.contains('@') && (host == "storage.googleapis.com" || host.ends_with(".googleapis.com"));
}

}  // namespace

Requests::Requests(const GcsOptions& options, std::vector<TokenProvider> providers)
    : options_(options),
      client_(options.http),
      tokens_("Google Cloud Storage", std::move(providers), std::chrono::system_clock::now) {}

std::string Requests::objects_path() const {
  return fmt::format("/storage/v1/b/{}/o", util::percent_encode(options_.bucket));
}

std::string Requests::object_path(const std::string& name) const {
  return fmt::format("{}/{}", objects_path(), util::percent_encode(name));
}

Result<http::Answer> Requests::send(const Call& call, const std::stop_token& stop) {
  http::Request request{.method = call.method,
                        .url = with_query(options_.base + call.path, call.query),
                        .headers = call.headers,
                        .content = call.content,
                        .answer_limit = call.answer_limit,
                        .dead_connection = call.dead_connection,
                        .answering = call.answering};
  if (options_.login == Login::none) return client_.send(request, stop);
  for (bool renewed = false;; renewed = true) {
    const Token token = TRY(tokens_.get(stop));
    request.headers.push_back({"Authorization", "Bearer " + token.text});
    http::Answer answer = TRY(client_.send(request, stop));
    if (answer.status != kUnauthorized || renewed) return answer;
    tokens_.forget(token);
    request.headers.pop_back();
  }
}

Result<bool> Requests::has_bucket(const std::stop_token& stop) {
  const Call call{.method = "GET", .path = objects_path(), .query = {{"maxResults", "1"}, {"fields", "nextPageToken"}}};
  const http::Answer answer = TRY(send(call, stop));
  if (answer.status == kNotFound) return false;
  if (!answer.ok()) return std::unexpected(error_of(answer, "looking for the bucket", options_.bucket));
  bucket_seen_ = true;
  return true;
}

Result<http::Answer> Requests::demand(const Call& call, std::string_view operation, const std::stop_token& stop,
                                      int other_status) {
  http::Answer answer = TRY(within(operation, send(call, stop)));
  if (answer.ok() || answer.status == other_status) {
    bucket_seen_ = true;
    return answer;
  }
  Error error = error_of(answer, operation, options_.bucket);
  if (answer.status != kNotFound || error.kind == ErrorKind::invalid) return std::unexpected(std::move(error));
  if (call.about == About::bucket) return std::unexpected(absent_bucket(operation, options_.bucket));
  if (bucket_seen_ || names_what_is_absent(parse_error(answer.text()))) return std::unexpected(std::move(error));
  const Result<bool> there = has_bucket(stop);
  if (there && !*there) return std::unexpected(absent_bucket(operation, options_.bucket));
  if (!there && there.error().kind != ErrorKind::denied) return std::unexpected(there.error());
  return std::unexpected(std::move(error));
}

Result<http::Answer> Requests::send_to_session(const std::string& url, http::Request request,
                                               const std::stop_token& stop) {
  request.url = url;
  return client_.send(request, stop);
}

Result<std::string> Requests::session_url(const http::Answer& answer) const {
  const std::string_view url = http::value_of(answer.headers, "Location");
  const std::size_t host = url.find("://");
  if (options_.is_google ? !is_google_host(url) : host == std::string_view::npos) {
    return fail(ErrorKind::unavailable, "the server named no URL for an upload");
  }
  if (options_.is_google) return std::string(url);
  const std::size_t path = std::min(url.find('/', host + 3), url.size());
  return options_.base + std::string(url.substr(path));
}

}  // namespace hearth::store::gcs
