#include "cache/tree/local_error.h"

#include <cerrno>
#include <utility>

namespace hearth::cache {

std::unexpected<Error> fail_local(int code, std::string_view what) {
  std::unexpected<Error> failure = fail_errno(code, what);
  if (code != EMFILE && code != ENFILE && code != ENOMEM) return failure;
  Error error = std::move(failure).error();
  error.kind = ErrorKind::unavailable;
  return std::unexpected(std::move(error));
}

bool is_of_the_file(ErrorKind kind) {
  return kind == ErrorKind::denied || kind == ErrorKind::io || kind == ErrorKind::not_found;
}

}  // namespace hearth::cache
