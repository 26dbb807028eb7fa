#include "store/azure/requests.h"

#include <algorithm>
#include <array>

#include "store/azure/errors.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

// Large blocks, tokens, and names in listings as they are used here.
constexpr std::string_view kApiVersion = "2021-12-02";
constexpr int kUnauthorized = 401;
constexpr int kForbidden = 403;

std::chrono::sys_seconds our_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string encoded_query(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", util::percent_encode(name), util::percent_encode(value));
  }
  return text;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale.
std::string http_date(std::chrono::sys_seconds time) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace

std::chrono::sys_seconds Requests::server_time() const {
  const std::lock_guard lock(mutex_);
  return our_time() + clock_offset_;
}

Result<http::Request> Requests::authorized(const Call& call, const Credentials& credentials,
                                           std::chrono::sys_seconds time) const {
  const std::size_t host = options_.endpoint.find("://") + 3;
  const std::size_t base = std::min(options_.endpoint.find('/', host), options_.endpoint.size());
  const std::string path = options_.endpoint.substr(base) + "/" + util::percent_encode(options_.container) +
                           (call.blob.empty() ? "" : "/" + util::percent_encode_path(call.blob));
  http::Headers headers = call.headers;
  headers.push_back({"x-ms-date", http_date(time)});
  headers.push_back({"x-ms-version", std::string(kApiVersion)});
  std::string query = encoded_query(call.query);
  if (const auto* sas = std::get_if<Sas>(&credentials.proof)) {
    query += (query.empty() ? "" : "&") + sas->query;
  } else if (const auto* bearer = std::get_if<Bearer>(&credentials.proof)) {
    if (!keeps_secrets(options_.endpoint)) {
      return fail(ErrorKind::denied, "a token is only sent over https, and the endpoint is http://");
    }
    headers.push_back({"Authorization", "Bearer " + bearer->token});
  } else {
    const Signable signable{.method = call.method,
                            .path = path,
                            .query = call.query,
                            .headers = headers,
                            .content_length = http::length_of(call.content)};
    headers.push_back(
        {"Authorization", authorization(signable, options_.account, std::get<AccountKey>(credentials.proof).bytes)});
  }
  return http::Request{.method = call.method,
                       .url = options_.endpoint.substr(0, base) + path + (query.empty() ? "" : "?" + query),
                       .headers = std::move(headers),
                       .content = call.content,
                       .answer_limit = call.answer_limit,
                       .dead_connection = call.dead_connection,
                       .answering = call.answering};
}

bool Requests::put_right(const http::Answer& answer, const Credentials& credentials, std::chrono::sys_seconds sent) {
  if (answer.status == kUnauthorized && std::holds_alternative<Bearer>(credentials.proof)) {
    credentials_.forget(credentials);
    return true;
  }
  // The service refuses what is more than 15 minutes off, and says no more than that authentication failed.
  constexpr std::chrono::minutes kTolerated{10};
  const auto theirs = http::date_of(answer.headers);
  const bool signed_by_key = std::holds_alternative<AccountKey>(credentials.proof);
  if (answer.status != kForbidden || !signed_by_key || !theirs) return false;
  if (std::chrono::abs(*theirs - sent) < kTolerated) return false;
  const std::lock_guard lock(mutex_);
  clock_offset_ = *theirs - our_time();
  return true;
}

Result<http::Answer> Requests::send(const Call& call, const std::stop_token& stop) {
  for (bool corrected = false;; corrected = true) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped before {}", call.method);
    const Credentials credentials = TRY(credentials_.get(stop));
    const std::chrono::sys_seconds time = server_time();
    const http::Request request = TRY(authorized(call, credentials, time));
    http::Answer answer = TRY(client_.send(request, stop));
    if (corrected || !put_right(answer, credentials, time)) return answer;
  }
}

Result<http::Answer> Requests::demand(const Call& call, std::string_view operation, const std::stop_token& stop) {
  http::Answer answer = TRY(within(operation, send(call, stop)));
  if (answer.ok()) return answer;
  return std::unexpected(error_of(answer, operation, options_.container));
}

}  // namespace hearth::store::azure
