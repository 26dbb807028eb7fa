#include "store/swift/errors.h"

#include <algorithm>
#include <array>

#include "util/text.h"

namespace hearth::store::swift {
namespace {

struct Meaning {
  int status;
  ErrorKind kind;
};

// Where Swift means something of its own by a status.
constexpr std::array kMeanings{
    // Another write of the same object has a later time, or a segment is missing: nobody asked for a condition here.
    Meaning{409, ErrorKind::unavailable},
    Meaning{413, ErrorKind::denied},  // a quota; sizes are known before
    Meaning{kDamagedStatus, ErrorKind::unavailable},
    Meaning{498, ErrorKind::unavailable},  // too many requests
    Meaning{499, ErrorKind::unavailable},  // less content than announced
    Meaning{507, ErrorKind::unavailable},
};

// A code of Ceph's is one word; Swift's texts are pages for people.
std::string code_in(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  text = util::trim(text);
  return text.size() <= 64 && std::ranges::all_of(text, is_letter) ? std::string(text) : "";
}

}  // namespace

ErrorKind kind_of(int status, std::string_view text) {
  const std::string code = code_in(text);
  if (code == "NoSuchBucket") return ErrorKind::invalid;
  if (code == "QuotaExceeded") return ErrorKind::denied;
  const auto meaning = std::ranges::find(kMeanings, status, &Meaning::status);
  return meaning != kMeanings.end() ? meaning->kind : http::kind_of_status(status);
}

Error error_of(const http::Answer& answer, std::string_view operation) {
  const std::string said = code_in(answer.text());
  const std::string code = said.empty() ? "" : " " + said;
  const std::string id(http::value_of(answer.headers, "X-Trans-Id"));
  const std::string request = id.empty() ? "" : fmt::format(" (request {})", util::shown(id));
  const std::string hint = answer.status == 413 ? ": a quota is used up" : "";
  return {kind_of(answer.status, answer.text()),
          fmt::format("{}: the server answered {}{}{}{}", operation, answer.status, code, hint, request),
          http::retry_after(answer.headers)};
}

Error absent_container(std::string_view container) {
  return {ErrorKind::invalid,
          fmt::format("there is no container {}; create it, or let --create-store do so", util::shown(container))};
}

}  // namespace hearth::store::swift
