// The vocabulary of failure: every fallible function returns Result<T>; no exception crosses a module's border.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

// What the caller can do about it, not where it happened.
enum class ErrorKind {
  not_found,    // nothing has that name; often an ordinary answer
  conflict,     // somebody else changed it first: read again, decide again
  unavailable,  // the other side did not answer properly; the only kind that a retry can mend
  denied,       // credentials or permissions are missing or wrong
  corrupt,      // bytes are not what they should be
  invalid,      // the caller's input cannot be used; the message says what was expected
  cancelled,    // the stop token was triggered
  io,           // the local system refused (no space, not a directory, …)
};

// The kind's name as it stands in reports: "not_found", "conflict", …
std::string_view name(ErrorKind kind);

// From where on a repetition can mend what is unavailable. Who repeats a part of something does so where the step is
// enough; where it failed as often as is worth it, nobody begins the whole anew.
enum class Retry {
  step,   // the request
  whole,  // all that led to it: the other side has lost what was there of it
  none,   // it was repeated, and that did not help
};

struct Error {
  ErrorKind kind = ErrorKind::io;
  std::string message;                       // one line for people: what, where, and what to do; never a secret
  std::chrono::milliseconds retry_after{0};  // of unavailable: the other side wants to be left alone for so long
  Retry retry = Retry::step;                 // of unavailable
};

// std::expected that must not be ignored.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  // NOLINTNEXTLINE(google-explicit-constructor): what and_then and friends return is a Result again
  Result(std::expected<T, Error> other) : std::expected<T, Error>(std::move(other)) {}
};

// return fail(ErrorKind::invalid, "no such process: {}", name);
template <class... Args>
std::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

// The error of a failed system call: "<what>: <strerror(code)>". ENOENT is not_found, EACCES and EPERM are denied,
// the rest is io.
std::unexpected<Error> fail_errno(int code, std::string_view what);

// Puts "<context>: " in front of the message; once per level that has something to add.
template <class T>
Result<T> within(std::string_view context, Result<T> result) {
  if (!result) result.error().message = fmt::format("{}: {}", context, result.error().message);
  return result;
}

}  // namespace hearth

// TRY(expr) is the value of a Result, or returns its error from the enclosing function.
// Use it as a whole statement or a whole initialiser only: inside a braced aggregate the members built before it leak.
#define TRY(...)                                                              \
  __extension__({                                                             \
    auto try_result_ = (__VA_ARGS__);                                         \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
    std::move(try_result_).value();                                           \
  })
