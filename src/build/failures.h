// From errors to failures of a build, and from a command's last words to their cause.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "build/report.h"
#include "util/error.h"

namespace hearth::build {

// What a step of a build comes to: nothing, or why the build has failed. The phase is filled in by the pipeline.
using Step = std::expected<void, Failure>;

template <class... Args>
std::unexpected<Failure> failed(FailureClass kind, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Failure{kind, {}, fmt::format(format, std::forward<Args>(args)...)});
}

// `kind`, unless the local system refused (no space, no such device), which is our own trouble, not the app's.
std::unexpected<Failure> failed(FailureClass kind, const Error& error);

// Who is to blame where opening something failed: the setting (invalid, denied), or the machine.
FailureClass class_of_setting(const Error& error);

// One sentence for well-known complaints in a command's output: what a build cannot do here, and what to do instead.
// Empty where nothing is recognised.
std::string remedy(std::string_view output);

}  // namespace hearth::build
