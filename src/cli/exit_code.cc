#include "cli/exit_code.h"

#include <csignal>

namespace hearth::cli {

namespace {

constexpr int kSignalBase = 128;

int interrupted_by(int signal) {
  return kSignalBase + (signal == 0 ? SIGTERM : signal);
}

}  // namespace

int exit_code(build::FailureClass failure, int signal) {
  switch (failure) {
    case build::FailureClass::app:
      return static_cast<int>(ExitCode::app_failed);
    case build::FailureClass::usage:
      return static_cast<int>(ExitCode::usage);
    case build::FailureClass::no_buildpack:
      return static_cast<int>(ExitCode::no_buildpack);
    case build::FailureClass::source:
      return static_cast<int>(ExitCode::source);
    case build::FailureClass::store:
      return static_cast<int>(ExitCode::store);
    case build::FailureClass::deadline:
      return static_cast<int>(ExitCode::deadline);
    case build::FailureClass::interrupted:
      return interrupted_by(signal);
    case build::FailureClass::internal:
      return static_cast<int>(ExitCode::internal);
  }
  return static_cast<int>(ExitCode::internal);
}

int exit_code(ErrorKind kind, int signal) {
  switch (kind) {
    case ErrorKind::invalid:
      return static_cast<int>(ExitCode::usage);
    case ErrorKind::not_found:
      return static_cast<int>(ExitCode::source);
    case ErrorKind::conflict:
    case ErrorKind::unavailable:
    case ErrorKind::denied:
    case ErrorKind::corrupt:
      return static_cast<int>(ExitCode::store);
    case ErrorKind::cancelled:
      return signal == 0 ? static_cast<int>(ExitCode::deadline) : interrupted_by(signal);
    case ErrorKind::io:
      return static_cast<int>(ExitCode::internal);
  }
  return static_cast<int>(ExitCode::internal);
}

}  // namespace hearth::cli
