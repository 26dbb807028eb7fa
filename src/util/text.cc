#include "util/text.h"

#include <fmt/chrono.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "util/hash.h"

namespace hearth::util {

namespace {

constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

// Three significant digits, no trailing zeros behind the point.
std::string three_digits(double value) {
  if (value >= 99.95) return fmt::format("{:.0f}", value);
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

struct Quantity {
  double value = 0;
  std::string_view unit;
  std::string_view rest;
};

// Splits the first "<number><letters>" off.
Result<Quantity> next_quantity(std::string_view text) {
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.value);
  if (error != std::errc() || !std::isfinite(quantity.value) || std::signbit(quantity.value)) {
    return fail(ErrorKind::invalid, "expected a number at \"{}\"", text);
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const std::size_t letters = std::min(text.find_first_of("0123456789."), text.size());
  quantity.unit = trim(text.substr(0, letters));
  quantity.rest = text.substr(letters);
  return quantity;
}

Result<double> milliseconds_of(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1e3;
  if (unit == "ms") return 1.0;
  if (unit == "m" || unit == "min") return 60e3;
  if (unit == "h") return 3600e3;
  if (unit == "d") return 86400e3;
  return fail(ErrorKind::invalid, "\"{}\" is no unit of time; use ms, s, m, h or d", unit);
}

Result<double> bytes_of(std::string_view unit) {
  if (unit.ends_with('B') || unit.ends_with('b')) unit.remove_suffix(1);
  if (unit.empty()) return 1.0;
  const double base = unit.ends_with('i') ? 1024 : 1000;
  if (unit.ends_with('i')) unit.remove_suffix(1);
  constexpr std::string_view kPrefixes = "kmgt";
  const char letter = unit.size() == 1 ? static_cast<char>(unit[0] | 0x20) : '?';
  const std::size_t power = kPrefixes.find(letter);
  if (power == std::string_view::npos) {
    return fail(ErrorKind::invalid, "\"{}\" is no unit of size; use k, M, G or T (Ki, Mi, … for powers of 1024)", unit);
  }
  return std::pow(base, static_cast<double>(power + 1));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string percent_encode(std::string_view text) {
  if (text == ".") return "%2E";
  if (text == "..") return "%2E%2E";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.contains(c)) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string percent_encode_path(std::string_view text) {
  std::string encoded;
  for (const std::string_view part : split(text, '/')) {
    if (part.data() != text.data()) encoded += '/';
    encoded += percent_encode(part);
  }
  return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
      return fail(ErrorKind::invalid, "a '%' without two hexadecimal digits");
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{} {}", three_digits(value), kUnits[unit]);
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 59.95) return fmt::format("{} s", three_digits(seconds));
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} m {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} m", whole / 3600, whole / 60 % 60);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string context = fmt::format("\"{}\" is no duration", text);
  double milliseconds = 0;
  std::string_view rest = trim(text);
  do {
    const Quantity quantity = TRY(within(context, next_quantity(rest)));
    const double unit = TRY(within(context, milliseconds_of(quantity.unit)));
    milliseconds += quantity.value * unit;
    rest = quantity.rest;
    if (quantity.unit.empty() && !rest.empty())
      return fail(ErrorKind::invalid, "{}: a number without its unit", context);
  } while (!rest.empty());
  // 285 years: as many nanoseconds fit into 63 bits.
  if (milliseconds > 9e12) return fail(ErrorKind::invalid, "{}: it is too long", context);
  return std::chrono::milliseconds(std::llround(milliseconds));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const std::string context = fmt::format("\"{}\" is no size", text);
  const Quantity quantity = TRY(within(context, next_quantity(trim(text))));
  if (!quantity.rest.empty()) return fail(ErrorKind::invalid, "{}: more than one number", context);
  const double unit = TRY(within(context, bytes_of(quantity.unit)));
  const double bytes = quantity.value * unit;
  if (bytes >= 0x1p63) return fail(ErrorKind::invalid, "{}: it is too large", context);
  return static_cast<std::uint64_t>(bytes);
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least && distance < std::max(word.size(), candidate.size())) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t kMost = 200;
  std::string text = printable(bytes.substr(0, kMost));
  if (bytes.size() > kMost) text += "...";
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string random_hex(std::size_t length) {
  std::vector<std::byte> bytes(length);
  for (std::size_t done = 0; done < length;) {
    const ssize_t count = ::getrandom(bytes.data() + done, length - done, 0);
    // It fails only where the kernel has no random numbers at all.
    if (count < 0 && errno != EINTR) std::abort();
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  return to_hex(bytes);
}

std::string utc_timestamp(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::string utc_compact(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::optional<std::chrono::sys_seconds> parse_utc_timestamp(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (const std::size_t point = text.find('.'); point != std::string_view::npos) {
    const std::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    text = text.substr(0, point);
  }
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (text.size() != kForm.size()) return std::nullopt;
  const auto fits = [](char c, char form) { return form == 'd' ? c >= '0' && c <= '9' : c == form; };
  if (!std::ranges::equal(text, kForm, fits)) return std::nullopt;
  const auto number = [text](std::size_t at, std::size_t length) {
    int value = 0;
    for (const char c : text.substr(at, length)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::sys_seconds time = std::chrono::sys_days(day) + std::chrono::hours(hour) +
                                        std::chrono::minutes(minute) + std::chrono::seconds(second);
  constexpr std::chrono::sys_seconds kFirst = std::chrono::sys_days(std::chrono::year(1970) / 1 / 1);
  constexpr std::chrono::sys_seconds kLast = std::chrono::sys_days(std::chrono::year(2200) / 1 / 1);
  return std::clamp(time, kFirst, kLast);
}

}  // namespace hearth::util
