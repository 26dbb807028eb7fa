#include "store/s3/requests.h"

#include <algorithm>

#include "store/s3/documents.h"
#include "store/s3/errors.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

constexpr int kCorrections = 3;
constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
// Servers refuse what is more than 15 minutes off.
constexpr std::chrono::minutes kTolerated{10};

std::chrono::sys_seconds our_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Where Amazon may send us: to hosts of its own. Other servers are trusted with the choice, as far as it is a host.
bool may_move_to(std::string_view host, bool is_amazon) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == ':';
  };
  if (host.empty() || !std::ranges::all_of(host, allowed)) return false;
  return !is_amazon || host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
}

bool is_expired(std::string_view code) {
  return code == "ExpiredToken" || code == "TokenRefreshRequired";
}

// Of an answer that cannot say so.
bool may_be_expired(const http::Answer& answer, const Credentials& credentials) {
  return answer.status == kBadRequest && answer.body.empty() && !credentials.session_token.empty();
}

std::string sha256_of_nothing() {
  return util::sha256(std::string_view()).hex();
}

}  // namespace

Requests::Requests(const S3Options& options, std::vector<CredentialProvider> providers)
    : options_(options),
      client_(options.http),
      credentials_(std::move(providers)),
      place_{.region = options.region, .endpoint = options.endpoint, .clock_offset = std::chrono::seconds(0)} {}

Requests::Place Requests::place() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

Requests::Address Requests::address(const Place& place, const std::string& object) const {
  const std::size_t scheme = place.endpoint.find("://") + 3;
  Address address{.origin = place.endpoint, .host = place.endpoint.substr(scheme), .path = "/"};
  if (!object.empty()) address.path = "/" + util::percent_encode_path(object);
  if (options_.addressing == Addressing::path) {
    address.path = "/" + util::percent_encode_path(options_.bucket) + (object.empty() ? "" : address.path);
    return address;
  }
  if (address.host.starts_with(options_.bucket + ".")) return address;  // a redirect named the bucket's own host
  address.host = options_.bucket + "." + address.host;
  address.origin = place.endpoint.substr(0, scheme) + address.host;
  return address;
}

http::Request Requests::signed_request(const Call& call, const Place& place, const Credentials& credentials) const {
  const Address at = address(place, call.object);
  const SigningScope scope{.region = place.region, .service = "s3", .time = our_time() + place.clock_offset};
  const std::string hash = call.payload_hash.empty() ? sha256_of_nothing() : call.payload_hash;
  Signable signable{
      .method = call.method, .path = at.path, .query = call.query, .headers = call.headers, .payload_hash = hash};
  signable.headers.push_back({"Host", at.host});
  signable.headers.push_back({"X-Amz-Date", amz_date(scope.time)});
  signable.headers.push_back({"X-Amz-Content-Sha256", hash});
  if (!credentials.session_token.empty()) {
    signable.headers.push_back({"X-Amz-Security-Token", credentials.session_token});
  }
  const std::string signature = authorization(signable, credentials, scope);
  const std::string query = canonical_query(call.query);
  http::Request request{.method = call.method,
                        .url = at.origin + at.path + (query.empty() ? "" : "?" + query),
                        .headers = std::move(signable.headers),
                        .content = call.content,
                        .answer_limit = call.answer_limit,
                        .dead_connection = call.dead_connection,
                        .answering = call.answering};
  request.headers.push_back({"Authorization", signature});
  return request;
}

bool Requests::move_to(const http::Answer& answer, const Place& used) {
  const ErrorDocument document = parse_error(answer.text());
  std::string region(http::value_of(answer.headers, "x-amz-bucket-region"));
  if (region.empty()) region = document.region;
  Place moved = used;
  std::string host = document.endpoint;
  if (options_.addressing == Addressing::path && host.starts_with(options_.bucket + ".")) {
    host = host.substr(options_.bucket.size() + 1);
  }
  if (is_region(region) && region != used.region) {
    moved.region = region;
    if (options_.is_amazon) moved.endpoint = amazon_endpoint(region);
  } else if ((answer.status == 301 || answer.status == 307) && may_move_to(host, options_.is_amazon)) {
    // To another host, never to another scheme.
    const std::string scheme = used.endpoint.substr(0, used.endpoint.find("://") + 3);
    moved.endpoint = scheme + host;
  }
  if (moved.region == used.region && moved.endpoint == used.endpoint) return false;
  const std::lock_guard lock(mutex_);
  place_.region = moved.region;
  place_.endpoint = moved.endpoint;
  return true;
}

bool Requests::set_clock(const http::Answer& answer, const Place& used, std::chrono::seconds tolerated) {
  const auto theirs = http::date_of(answer.headers);
  if (!theirs) return false;
  const std::chrono::seconds offset = *theirs - our_time();
  if (std::chrono::abs(offset - used.clock_offset) <= tolerated) return false;
  const std::lock_guard lock(mutex_);
  place_.clock_offset = offset;
  return true;
}

bool Requests::put_right(const http::Answer& answer, const Place& used, const Credentials& credentials) {
  if (answer.ok() || answer.status >= 500) return false;
  const std::string code = parse_error(answer.text()).code;
  if (is_expired(code)) {
    credentials_.forget(credentials);
    return true;
  }
  if (code == "RequestTimeTooSkewed") return set_clock(answer, used, std::chrono::seconds(0));
  if (code.empty() && answer.status == kForbidden) return set_clock(answer, used, kTolerated);
  const bool elsewhere = answer.status == 301 || answer.status == 307 || code == "AuthorizationHeaderMalformed" ||
                         (answer.status == kBadRequest && http::find(answer.headers, "x-amz-bucket-region"));
  return elsewhere && move_to(answer, used);
}

Result<http::Answer> Requests::send(const Call& call, const std::stop_token& stop) {
  bool suspected = false;  // the session token
  for (int corrections = 0;; ++corrections) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped before {}", call.method);
    const Credentials credentials = TRY(credentials_.get(stop));
    const Place used = place();
    http::Answer answer = TRY(client_.send(signed_request(call, used, credentials), stop));
    if (corrections == kCorrections) return answer;
    if (put_right(answer, used, credentials)) continue;
    if (suspected || !may_be_expired(answer, credentials)) return answer;
    suspected = true;
    credentials_.forget(credentials);
  }
}

Result<http::Answer> Requests::demand(const Call& call, std::string_view operation, const std::stop_token& stop) {
  http::Answer answer = TRY(within(operation, send(call, stop)));
  if (answer.ok()) return answer;
  return std::unexpected(error_of(answer, parse_error(answer.text()), operation, options_.bucket));
}

Result<std::string> Requests::presigned(const std::string& method, const std::string& object,
                                        std::chrono::seconds lifetime, const std::stop_token& stop) {
  const Credentials credentials = TRY(credentials_.get(stop));
  const Place used = place();
  const Address at = address(used, object);
  const Signable signable{.method = method,
                          .path = at.path,
                          .query = {},
                          .headers = {{"Host", at.host}},
                          .payload_hash = std::string(kUnsignedPayload)};
  const SigningScope scope{.region = used.region, .service = "s3", .time = our_time() + used.clock_offset};
  return fmt::format("{}{}?{}", at.origin, at.path, presigned_query(signable, credentials, scope, lifetime));
}

}  // namespace hearth::store::s3
