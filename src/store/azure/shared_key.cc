#include "store/azure/shared_key.h"

#include <algorithm>
#include <array>
#include <map>

#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

// In the order in which their values are signed. Content-Length is another matter, and x-ms-date replaces Date.
constexpr std::array<std::string_view, 2> kBeforeLength = {"Content-Encoding", "Content-Language"};
constexpr std::array<std::string_view, 8> kAfterLength = {"Content-MD5",         "Content-Type", "Date",
                                                          "If-Modified-Since",   "If-Match",     "If-None-Match",
                                                          "If-Unmodified-Since", "Range"};

std::string canonical_headers(const http::Headers& headers) {
  std::map<std::string, std::string> sorted;
  for (const http::Header& header : headers) {
    const std::string name = util::lower(header.name);
    if (name.starts_with("x-ms-")) sorted[name] = util::trim(header.value);
  }
  std::string text;
  for (const auto& [name, value] : sorted) text += fmt::format("{}:{}\n", name, value);
  return text;
}

std::string canonical_resource(const Signable& request, std::string_view account) {
  std::map<std::string, std::vector<std::string>> sorted;
  for (const auto& [name, value] : request.query) sorted[util::lower(name)].push_back(value);
  std::string text = fmt::format("/{}{}", account, request.path);
  for (auto& [name, values] : sorted) {
    std::ranges::sort(values);
    text += fmt::format("\n{}:{}", name, fmt::join(values, ","));
  }
  return text;
}

}  // namespace

std::string string_to_sign(const Signable& request, std::string_view account) {
  std::string text = request.method + "\n";
  for (const std::string_view name : kBeforeLength) text += fmt::format("{}\n", http::value_of(request.headers, name));
  text += request.content_length == 0 ? "\n" : fmt::format("{}\n", request.content_length);
  for (const std::string_view name : kAfterLength) text += fmt::format("{}\n", http::value_of(request.headers, name));
  return text + canonical_headers(request.headers) + canonical_resource(request, account);
}

std::string authorization(const Signable& request, std::string_view account, std::string_view key) {
  const util::Digest mac = util::hmac_sha256(std::as_bytes(std::span(key)), string_to_sign(request, account));
  return fmt::format("SharedKey {}:{}", account, util::to_base64(mac.bytes));
}

}  // namespace hearth::store::azure
