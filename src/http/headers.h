// Header fields of HTTP messages, and what is read from them (RFC 9110).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::http {

struct Header {
  std::string name;
  std::string value;  // without the white space around it
};

using Headers = std::vector<Header>;

// The value of the first field of this name, whatever the case of its letters; views into `headers`.
std::optional<std::string_view> find(const Headers& headers, std::string_view name);

// The values of all fields of this name, in their order.
std::vector<std::string_view> values_of(const Headers& headers, std::string_view name);

// The first; "" where there is none.
std::string_view value_of(const Headers& headers, std::string_view name);

// "Sun, 06 Nov 1994 08:49:37 GMT" and the older forms of section 5.6.7; absent for anything else.
std::optional<std::chrono::sys_seconds> parse_date(std::string_view text);

// The server's clock: its Date.
std::optional<std::chrono::sys_seconds> date_of(const Headers& headers);

// Retry-After, in seconds or as a date beside the answer's own Date; zero where there is none, or nothing usable. At
// most an hour.
std::chrono::milliseconds retry_after(const Headers& headers);

struct ContentRange {
  std::optional<std::uint64_t> first;  // absent in "bytes */123", of an answer 416
  std::uint64_t size = 0;              // of the whole representation
};

// "bytes 0-9/123" and "bytes */123"; absent where it is missing or cannot be read, or where the size is not told.
std::optional<ContentRange> content_range(const Headers& headers);

}  // namespace hearth::http
