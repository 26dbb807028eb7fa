#include "http/headers.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

#include "util/lazy_library.h"
#include "util/text.h"

namespace hearth::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::string_view> find(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (std::ranges::equal(header.name, name, {}, lower, lower)) return header.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> values_of(const Headers& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Header& header : headers) {
    if (std::ranges::equal(header.name, name, {}, lower, lower)) values.emplace_back(header.value);
  }
  return values;
}

std::string_view value_of(const Headers& headers, std::string_view name) {
  return find(headers, name).value_or(std::string_view());
}

std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) {
  if (!util::load_libcurl()) return std::nullopt;
  const std::time_t time = curl_getdate(std::string(text).c_str(), nullptr);
  if (text.empty() || time == -1) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(time));
}

std::optional<std::chrono::sys_seconds> date_of(const Headers& headers) {
  return parse_date(value_of(headers, "Date"));
}

std::chrono::milliseconds retry_after(const Headers& headers) {
  constexpr std::chrono::seconds kLongest{3600};
  const std::string_view text = value_of(headers, "Retry-After");
  if (const auto seconds = parse_number(text)) {
    return *seconds > 3600 ? kLongest : std::chrono::seconds(*seconds);
  }
  const auto then = parse_date(text);
  const auto now = date_of(headers);
  if (!then || !now || *then <= *now) return std::chrono::milliseconds(0);
  return std::min<std::chrono::seconds>(*then - *now, kLongest);
}

std::optional<ContentRange> content_range(const Headers& headers) {
  constexpr std::string_view kUnit = "bytes ";
  std::string_view text = value_of(headers, "Content-Range");
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto size = parse_number(text.substr(slash + 1));
  if (!size) return std::nullopt;
  const std::string_view range = text.substr(0, slash);
  if (range == "*") return ContentRange{std::nullopt, *size};
  const auto first = parse_number(range.substr(0, range.find('-')));
  if (!first) return std::nullopt;
  return ContentRange{first, *size};
}

}  // namespace hearth::http
