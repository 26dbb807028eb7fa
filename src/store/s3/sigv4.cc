#include "store/s3/sigv4.h"

#include <algorithm>
#include <map>

#include "util/hash.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// util's encoding is for names of objects, and writes "." and ".." otherwise.
std::string encoded(const std::string& text) {
  return text == "." || text == ".." ? text : util::percent_encode(text);
}

// Without white space around it, and with single spaces within.
std::string dense(std::string_view value) {
  std::string text;
  for (const char c : util::trim(value)) {
    if (c != ' ' || !text.ends_with(' ')) text += c;
  }
  return text;
}

struct CanonicalHeaders {
  std::string lines;
  std::string names;  // joined by ';'
};

CanonicalHeaders canonical_headers(const http::Headers& headers) {
  std::map<std::string, std::string> sorted;
  for (const http::Header& header : headers) {
    const auto [at, added] = sorted.emplace(util::lower(header.name), dense(header.value));
    if (!added) at->second += "," + dense(header.value);
  }
  CanonicalHeaders canonical;
  for (const auto& [name, value] : sorted) {
    canonical.lines += fmt::format("{}:{}\n", name, value);
    canonical.names += (canonical.names.empty() ? "" : ";") + name;
  }
  return canonical;
}

std::string scope_text(const SigningScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", amz_date(scope.time).substr(0, 8), scope.region, scope.service);
}

std::string signature(const Signable& request, const std::string& query, const Credentials& credentials,
                      const SigningScope& scope) {
  const CanonicalHeaders headers = canonical_headers(request.headers);
  const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, query,
                                            headers.lines, headers.names, request.payload_hash);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, amz_date(scope.time), scope_text(scope), util::sha256(canonical).hex());
  const std::string secret = "AWS4" + credentials.secret_key;
  util::Digest key = util::hmac_sha256(std::as_bytes(std::span(secret)), amz_date(scope.time).substr(0, 8));
  for (const std::string_view part : {std::string_view(scope.region), std::string_view(scope.service),
                                      std::string_view("aws4_request"), std::string_view(to_sign)}) {
    key = util::hmac_sha256(key.bytes, part);
  }
  return key.hex();
}

}  // namespace

std::string amz_date(std::chrono::sys_seconds time) {
  return util::utc_compact(time);
}

std::string canonical_query(Query query) {
  for (auto& [name, value] : query) {
    name = encoded(name);
    value = encoded(value);
  }
  std::ranges::sort(query);
  std::string text;
  for (const auto& [name, value] : query) text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  return text;
}

std::string authorization(const Signable& request, const Credentials& credentials, const SigningScope& scope) {
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key,
                     scope_text(scope), canonical_headers(request.headers).names,
                     signature(request, canonical_query(request.query), credentials, scope));
}

std::string presigned_query(const Signable& request, const Credentials& credentials, const SigningScope& scope,
                            std::chrono::seconds lifetime) {
  Query query = request.query;
  query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  query.emplace_back("X-Amz-Credential", fmt::format("{}/{}", credentials.access_key, scope_text(scope)));
  query.emplace_back("X-Amz-Date", amz_date(scope.time));
  query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  query.emplace_back("X-Amz-SignedHeaders", canonical_headers(request.headers).names);
  if (!credentials.session_token.empty()) query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  const std::string text = canonical_query(std::move(query));
  return fmt::format("{}&X-Amz-Signature={}", text, signature(request, text, credentials, scope));
}

}  // namespace hearth::store::s3
