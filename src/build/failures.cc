#include "build/failures.h"

#include <array>

namespace hearth::build {

namespace {

struct Complaint {
  std::string_view text;
  std::string_view remedy;
};

constexpr std::string_view kNoRoot =
    "A build never has root's rights: sudo, su and installing into the system do not work in it. For Debian packages "
    "use a buildpack that unpacks them into the app (an Aptfile, with the apt buildpack).";
constexpr std::string_view kNoSpace =
    "The disk of the work directory is full: free space, or name another one with --work.";
constexpr std::string_view kTooLarge = "A file grew above the limit for single files in a build.";
constexpr std::string_view kNoProcesses = "The limit on processes in a build was reached.";

constexpr std::array kComplaints = {
    Complaint{"sudo: ", kNoRoot},
    Complaint{"su: must be suid", kNoRoot},
    Complaint{"su: Critical error", kNoRoot},
    Complaint{"su: Authentication failure", kNoRoot},
    Complaint{"su: cannot set", kNoRoot},
    Complaint{"su: must be run from a terminal", kNoRoot},
    Complaint{"are you root?", kNoRoot},
    Complaint{"requires superuser privilege", kNoRoot},
    Complaint{"/var/lib/dpkg/lock", kNoRoot},
    Complaint{"/var/lib/apt/lists", kNoRoot},
    Complaint{"E: Unable to locate package", kNoRoot},
    Complaint{"No space left on device", kNoSpace},
    Complaint{"ENOSPC", kNoSpace},
    Complaint{"Disk quota exceeded", kNoSpace},
    Complaint{"File size limit exceeded", kTooLarge},
    Complaint{"File too large", kTooLarge},
    Complaint{"fork: retry: Resource temporarily unavailable", kNoProcesses},
};

}  // namespace

std::unexpected<Failure> failed(FailureClass kind, const Error& error) {
  const FailureClass actual = error.kind == ErrorKind::io ? FailureClass::internal : kind;
  return std::unexpected(Failure{actual, {}, error.message});
}

FailureClass class_of_setting(const Error& error) {
  const bool setting = error.kind == ErrorKind::invalid || error.kind == ErrorKind::denied;
  return setting ? FailureClass::usage : FailureClass::internal;
}

std::string remedy(std::string_view output) {
  for (const Complaint& complaint : kComplaints) {
    if (output.contains(complaint.text)) return std::string(complaint.remedy);
  }
  return {};
}

}  // namespace hearth::build
