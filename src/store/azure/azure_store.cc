#include "store/azure/azure_store.h"

#include <algorithm>

#include "store/answers.h"
#include "store/azure/documents.h"
#include "store/azure/errors.h"
#include "store/azure/names.h"
#include "store/azure/upload.h"
#include "store/parts.h"
#include "store/ranged.h"
#include "util/mac.h"

namespace hearth::store::azure {
namespace {

constexpr int kConflict = 409;
constexpr int kRangeNotSatisfiable = 416;

Query listing(const std::string& below, const std::string& marker, std::uint32_t most) {
  Query query = {{"restype", "container"}, {"comp", "list"}, {"maxresults", std::to_string(most)}};
  if (!below.empty()) query.emplace_back("prefix", below);
  if (!marker.empty()) query.emplace_back("marker", marker);
  return query;
}

// Of a whole blob, also if a range was asked for that holds all of it; the server knows the MD5 of what was put in one
// request.
Result<void> check_md5(const http::Answer& answer) {
  const auto range = http::content_range(answer.headers);
  if (range && range->size != answer.body.size()) return {};
  const std::string_view announced = http::value_of(answer.headers, range ? "x-ms-blob-content-md5" : "Content-MD5");
  if (announced.empty()) return {};
  util::Md5 md5;
  md5.update(answer.body);
  if (util::to_base64(md5.finish()) == announced) return {};
  return fail(ErrorKind::unavailable, "the content does not have the MD5 that the server names");
}

// Hands over a listing's keys in their order.
class Pages {
 public:
  Pages(const std::string& prefix, const ObjectStore::Visitor& visit) : prefix_(prefix), visit_(visit) {}

  Result<void> visit(const ListPage& page, StoreTime now) {
    for (const ListedBlob& blob : page.blobs) {
      const Result<std::string> whole = key_of_blob(blob.name);
      if (!whole || !whole->starts_with(prefix_)) continue;
      const Result<Key> key = Key::parse(whole->substr(prefix_.size()));
      if (!key) continue;
      if (last_ && *key <= *last_) {
        return fail(ErrorKind::invalid,
                    "the server lists {} behind {}; an account with a hierarchical namespace cannot be a store",
                    key->text(), last_->text());
      }
      last_ = *key;
      TRY(visit_({.key = *key,
                  .size = blob.size,
                  .version = {blob.etag},
                  .modified = blob.modified,
                  .now = std::max(now, blob.modified)}));
    }
    return {};
  }

 private:
  const std::string& prefix_;
  const ObjectStore::Visitor& visit_;
  std::optional<Key> last_;
};

}  // namespace

std::string AzureStore::name_of(const Key& key) const {
  return blob_name(options_.prefix + key.text());
}

Result<void> AzureStore::create_bucket(const std::stop_token& stop) {
  // Asked by a listing, since a signature for one container permits nothing else of it.
  const http::Answer there = TRY(requests_.send({.method = "GET", .blob = {}, .query = listing("", "", 1)}, stop));
  if (there.ok()) return {};
  const Error absent = error_of(there, "looking for the container", options_.container);
  if (absent.kind != ErrorKind::invalid || code_of(there) != "ContainerNotFound") return std::unexpected(absent);
  const http::Answer made = TRY(requests_.send({.method = "PUT",
                                                .blob = {},
                                                .query = {{"restype", "container"}},
                                                .headers = {},
                                                .content = std::span<const std::byte>(),
                                                .answering = http::Answering::late},
                                               stop));
  if (made.ok() || (made.status == kConflict && code_of(made) == "ContainerAlreadyExists")) return {};
  return std::unexpected(error_of(made, "creating the container " + options_.container, options_.container));
}

Result<Object> AzureStore::get(const Key& key, ByteRange range, std::stop_token stop) {
  const RangedVerbs verbs{
      .ask = [&](const std::optional<std::string>& wanted, std::uint64_t limit) -> Result<http::Answer> {
        Call call{.method = "GET", .blob = name_of(key)};
        if (wanted) call.headers.push_back({"Range", *wanted});
        call.answer_limit = limit;
        http::Answer answer = TRY(within("GET", requests_.send(call, stop)));
        if (answer.status == kRangeNotSatisfiable) return answer;
        if (!answer.ok()) return std::unexpected(error_of(answer, "GET", options_.container));
        TRY(check_md5(answer));
        return answer;
      },
      .info = [&](const http::Answer& answer) { return info_of(key, answer); },
      .stat = [&] { return stat(key, stop); }};
  return within(key.text(), get_ranged(range, verbs));
}

Result<ObjectInfo> AzureStore::stat(const Key& key, std::stop_token stop) {
  const http::Answer answer =
      TRY(within(key.text(), requests_.demand({.method = "HEAD", .blob = name_of(key)}, "HEAD", stop)));
  ObjectInfo info = TRY(info_of(key, answer));
  info.size = TRY(within(key.text(), content_length(answer)));
  return info;
}

Result<Version> AzureStore::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  return within(key.text(), upload(requests_, options_, name_of(key), body, condition, stop));
}

Result<Checksums> AzureStore::try_checksums(const Key& key, std::stop_token stop) {
  return within(key.text(), upload_damaged(requests_, options_, name_of(key), stop));
}

Result<void> AzureStore::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  const std::string below = blob_name(options_.prefix + prefix.text());
  Pages pages(options_.prefix, visit);
  std::string marker;
  do {
    const Call call{.method = "GET",
                    .blob = {},
                    .query = listing(below, marker, options_.page),
                    .headers = {},
                    .content = {},
                    .answer_limit = std::uint64_t{64} << 20,
                    .answering = http::Answering::late};
    const http::Answer answer = TRY(requests_.demand(call, "listing " + options_.shown, stop));
    const ListPage page = TRY(parse_list(answer.text()));
    if (!page.next.empty() && page.next == marker) return fail(ErrorKind::unavailable, "the listing does not go on");
    TRY(pages.visit(page, time_of(answer)));
    marker = page.next;
  } while (!marker.empty());
  return {};
}

Result<void> AzureStore::remove(const Key& key, std::stop_token stop) {
  const Call call{
      .method = "DELETE", .blob = name_of(key), .query = {}, .headers = {{"x-ms-delete-snapshots", "include"}}};
  auto removed = requests_.demand(call, "DELETE", stop);
  if (removed || removed.error().kind == ErrorKind::not_found) return {};
  return within(key.text(), Result<void>(std::unexpected(removed.error())));
}

Result<void> AzureStore::remove_each(std::span<const Key> keys, std::stop_token stop) {
  const SendPart one = [&](std::size_t index, ByteRange, const std::stop_token& stop_one) {
    return remove(keys[index], stop_one);
  };
  return send_parts(keys.size(), 1, options_.transfers, one, stop);
}

}  // namespace hearth::store::azure
