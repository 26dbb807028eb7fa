#include "util/error.h"

#include <cerrno>
#include <system_error>

namespace hearth {

std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::corrupt:
      return "corrupt";
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::io:
      return "io";
  }
  return "unknown";
}

std::unexpected<Error> fail_errno(int code, std::string_view what) {
  ErrorKind kind = ErrorKind::io;
  if (code == ENOENT) kind = ErrorKind::not_found;
  if (code == EACCES || code == EPERM) kind = ErrorKind::denied;
  return std::unexpected(Error{kind, fmt::format("{}: {}", what, std::generic_category().message(code))});
}

}  // namespace hearth
