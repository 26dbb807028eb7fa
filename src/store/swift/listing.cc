#include "store/swift/listing.h"

#include <algorithm>
#include <charconv>

#include "store/answers.h"
#include "store/swift/errors.h"
#include "util/text.h"

namespace hearth::store::swift {
namespace {

Result<void> remove_name(Requests& requests, const std::string& name, const std::stop_token& stop) {
  const http::Answer answer = TRY(within("DELETE", requests.send({.method = "DELETE", .object = name}, stop)));
  if (answer.ok() || answer.status == kNotFound) return {};
  return std::unexpected(requests.explain(answer, "DELETE", stop));
}

Result<void> remove_one_by_one(Requests& requests, std::span<const std::string> names, const std::stop_token& stop) {
  for (const std::string& name : names) TRY(within(name, remove_name(requests, name, stop)));
  return {};
}

// Who serves no bulk deletion, or not to us.
bool is_unknown_verb(int status) {
  return status == 403 || status == 404 || status == 405 || status == 501;
}

// Of "403 Forbidden".
int status_in(std::string_view text) {
  int status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status;
}

Result<void> remove_batch(Requests& requests, std::span<const std::string> names, const std::stop_token& stop) {
  std::string list;
  for (const std::string& name : names) list += requests.path_of(name) + "\n";
  const Call call{.method = "POST",
                  .of = Call::Of::account,
                  .object = {},
                  .query = "bulk-delete",
                  .headers = {{"Content-Type", "text/plain"}, {"Accept", "application/json"}},
                  .content = std::as_bytes(std::span(list)),
                  .answering = http::Answering::late};
  const http::Answer answer = TRY(within("deleting many", requests.send(call, stop)));
  if (is_unknown_verb(answer.status)) return remove_one_by_one(requests, names, stop);
  if (!answer.ok()) return std::unexpected(error_of(answer, "deleting many"));
  const DeleteFailure failure = TRY(parse_deleted(answer.text()));
  if (failure.status.empty()) return {};
  return fail(kind_of(status_in(failure.status), {}), "deleting {}: the server answered {}", util::shown(failure.name),
              util::shown(failure.status));
}

// An empty listing may be an answer 204, without a document.
Result<std::vector<ListedObject>> page_in(const http::Answer& answer) {
  if (answer.body.empty() && answer.status == 204) return std::vector<ListedObject>();
  return parse_list(answer.text());
}

}  // namespace

Result<void> for_each_named(Requests& requests, const std::string& begin,
                            const std::function<Result<void>(const ListedObject& object, StoreTime now)>& visit,
                            const std::stop_token& stop) {
  std::string last;
  while (true) {
    Call call{.method = "GET",
              .of = Call::Of::container,
              .object = {},
              .query = "format=json&limit=1000",
              .headers = {{"Accept", "application/json"}},
              .content = {},
              .answer_limit = std::uint64_t{32} << 20,
              .answering = http::Answering::late};
    if (!begin.empty()) call.query += "&prefix=" + util::percent_encode(begin);
    if (!last.empty()) call.query += "&marker=" + util::percent_encode(last);
    const http::Answer answer = TRY(requests.demand(call, "listing", stop));
    const Result<std::vector<ListedObject>> page = page_in(answer);
    if (!page) return within("listing", Result<void>(std::unexpected(page.error())));
    if (page->empty()) return {};
    for (const ListedObject& object : *page) {
      if (object.name <= last) return fail(ErrorKind::unavailable, "the listing does not go on");
      last = object.name;
      if (object.name.starts_with(begin)) TRY(visit(object, time_of(answer)));
    }
  }
}

Result<void> remove_names(Requests& requests, std::span<const std::string> names, const std::stop_token& stop) {
  if (names.empty()) return {};
  if (names.size() == 1) return remove_one_by_one(requests, names, stop);
  const Capabilities known = TRY(requests.capabilities(stop));
  if (known.deletes_at_once == 0) return remove_one_by_one(requests, names, stop);
  while (!names.empty()) {
    const std::size_t count = std::min(names.size(), known.deletes_at_once);
    TRY(remove_batch(requests, names.first(count), stop));
    names = names.subspan(count);
  }
  return {};
}

}  // namespace hearth::store::swift
