// Small transformations of text: names for storage, quantities for people, hints for mistakes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace hearth::util {

// RFC 3986 percent-encoding of everything but A-Z a-z 0-9 - _ . ~; so '/' and '%' are encoded too. "." and ".." come
// out as "%2E" and "%2E%2E".
std::string percent_encode(std::string_view text);
// Undoes it. A '%' without two hexadecimal digits is ErrorKind::invalid; the message does not repeat the text, which
// may be a secret.
Result<std::string> percent_decode(std::string_view text);

// The same of each part between slashes; the slashes stay.
std::string percent_encode_path(std::string_view text);

// "0 B", "999 B", "1.5 kB", "20 MB", "3.2 GB": powers of 1000, at most three digits.
std::string human_size(std::uint64_t bytes);
// "12 ms", "3.4 s", "2 m 05 s", "1 h 10 m".
std::string human_duration(std::chrono::nanoseconds duration);

// "90", "90s", "15m", "1h30m", "250ms"; a bare number is seconds. Negative, empty or unknown units are invalid.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// "1048576", "64k", "300MB", "2GiB": k/M/G/T are powers of 1000, Ki/Mi/Gi/Ti of 1024; a trailing B is optional.
Result<std::uint64_t> parse_size(std::string_view text);

// The candidate with the smallest edit distance, or "" where none is near enough to be what was meant.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// Any bytes in printable ASCII: what is none, and no space, as "\xNN".
std::string printable(std::string_view text);
// The same of bounded length, for messages.
std::string shown(std::string_view text);

// A-Z become a-z, and nothing else changes.
std::string lower(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

// `length` random bytes from the kernel, in lowercase hexadecimal digits (two a byte).
std::string random_hex(std::size_t length);

// A point in time in UTC: "2026-01-31T23:59:59Z", and for names that sort: "20260131T235959Z".
std::string utc_timestamp(std::chrono::system_clock::time_point time);
std::string utc_compact(std::chrono::system_clock::time_point time);
// Reads "2026-01-31T23:59:59Z" again, with any fraction of a second (cut off) and with or without the Z (RFC 3339 in
// UTC, as stores and credentials have it); before 1970 and after 2200, these years' begin. Absent for anything else.
std::optional<std::chrono::sys_seconds> parse_utc_timestamp(std::string_view text);

}  // namespace hearth::util
