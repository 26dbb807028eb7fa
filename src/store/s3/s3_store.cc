#include "store/s3/s3_store.h"

#include <algorithm>

#include "store/answers.h"
#include "store/body.h"
#include "store/ranged.h"
#include "store/s3/documents.h"
#include "store/s3/errors.h"
#include "store/s3/upload.h"
#include "util/hash.h"
#include "util/mac.h"

namespace hearth::store::s3 {
namespace {

constexpr int kNotFound = 404;
constexpr int kRangeNotSatisfiable = 416;
// Servers take 1,000; some delete one after the other before they answer.
constexpr std::size_t kDeletedAtOnce = 250;

Call with_document(std::string method, Query query, const std::string& document) {
  const auto bytes = std::as_bytes(std::span(document));
  util::Md5 md5;
  md5.update(bytes);
  return {.method = std::move(method),
          .object = {},
          .query = std::move(query),
          .headers = {{"Content-Type", "application/xml"}, {"Content-MD5", util::to_base64(md5.finish())}},
          .content = bytes,
          .payload_hash = util::sha256(bytes).hex(),
          .answering = http::Answering::late};
}

// Servers without DeleteObjects.
bool is_unknown_verb(const http::Answer& answer) {
  return answer.status == 501 || answer.status == 405;
}

}  // namespace

Result<void> S3Store::create_bucket(const std::stop_token& stop) {
  const http::Answer there = TRY(requests_.send({.method = "HEAD"}, stop));
  if (there.ok()) return {};
  if (there.status != kNotFound) return std::unexpected(error_of(there, {}, "looking for the bucket", options_.bucket));
  const bool names_region = options_.is_amazon && options_.region != "us-east-1";
  const std::string document = names_region ? location_document(options_.region) : "";
  const http::Answer made = TRY(requests_.send(with_document("PUT", {}, document), stop));
  const ErrorDocument error = parse_error(made.text());
  if (made.ok() || error.code == "BucketAlreadyOwnedByYou") return {};
  return std::unexpected(error_of(made, error, "creating the bucket " + options_.bucket, options_.bucket));
}

Result<Object> S3Store::get(const Key& key, ByteRange range, std::stop_token stop) {
  const RangedVerbs verbs{
      .ask = [&](const std::optional<std::string>& wanted, std::uint64_t limit) -> Result<http::Answer> {
        Call call{.method = "GET", .object = name_of(key)};
        if (wanted) call.headers.push_back({"Range", *wanted});
        call.answer_limit = limit;
        http::Answer answer = TRY(requests_.send(call, stop));
        if (answer.ok() || answer.status == kRangeNotSatisfiable) return answer;
        return std::unexpected(error_of(answer, parse_error(answer.text()), "GET", options_.bucket));
      },
      .info = [&](const http::Answer& answer) { return info_of(key, answer); },
      .stat = [&] { return stat(key, stop); }};
  return within(key.text(), get_ranged(range, verbs));
}

Result<ObjectInfo> S3Store::stat(const Key& key, std::stop_token stop) {
  const http::Answer answer =
      TRY(within(key.text(), requests_.demand({.method = "HEAD", .object = name_of(key)}, "HEAD", stop)));
  ObjectInfo info = TRY(info_of(key, answer));
  info.size = TRY(within(key.text(), content_length(answer)));
  return info;
}

Result<Version> S3Store::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  const std::uint64_t size = TRY(body_size(body));
  const std::string name = name_of(key);
  const bool conditional = condition.kind != Condition::Kind::none;
  if (!conditional && size >= kPartsFrom) {
    return within(key.text(), upload_in_parts(requests_, options_, name, body, stop));
  }
  if (size > kLargestPart) return fail(ErrorKind::invalid, "{}: a conditional put has at most 5 GiB", key.text());
  Call call = TRY(put_call(name, body, {0, size}, stop));
  const http::Headers more = creation_headers(options_);
  call.headers.insert(call.headers.end(), more.begin(), more.end());
  if (conditional) return within(key.text(), conditional_.put(call, condition, *this, key, body, stop));
  const http::Answer answer = TRY(within(key.text(), requests_.demand(call, "PUT", stop)));
  return within(key.text(), version_of(answer));
}

Result<Checksums> S3Store::try_checksums(const Key& key, std::stop_token stop) {
  return within(key.text(), upload_damaged(requests_, options_, name_of(key), stop));
}

Result<void> S3Store::visit_page(const ListPage& page, StoreTime now, const Visitor& visit) const {
  for (const ListedObject& object : page.objects) {
    if (!object.name.starts_with(options_.prefix)) continue;
    const Result<Key> key = Key::parse(object.name.substr(options_.prefix.size()));
    if (!key) continue;
    TRY(visit({.key = *key,
               .size = object.size,
               .version = {object.etag},
               .modified = object.modified,
               .now = std::max(now, object.modified)}));
  }
  return {};
}

Result<void> S3Store::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  std::string token;
  do {
    Call call{.method = "GET",
              .object = {},
              .query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", "1000"}},
              .headers = {},
              .content = {},
              .payload_hash = {},
              .answer_limit = std::uint64_t{32} << 20,
              .answering = http::Answering::late};
    const std::string below = options_.prefix + prefix.text();
    if (!below.empty()) call.query.emplace_back("prefix", below);
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    const http::Answer answer = TRY(requests_.demand(call, "listing " + options_.shown, stop));
    const ListPage page = TRY(parse_list(answer.text()));
    if (!page.next.empty() && page.next == token) return fail(ErrorKind::unavailable, "the listing does not go on");
    TRY(visit_page(page, time_of(answer), visit));
    token = page.next;
  } while (!token.empty());
  return {};
}

Result<void> S3Store::remove(const Key& key, std::stop_token stop) {
  auto removed = requests_.demand({.method = "DELETE", .object = name_of(key)}, "DELETE", stop);
  if (removed || removed.error().kind == ErrorKind::not_found) return {};
  return within(key.text(), Result<void>(std::unexpected(removed.error())));
}

Result<void> S3Store::remove_batch(std::span<const Key> keys, const std::stop_token& stop) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(name_of(key));
  const std::string document = delete_document(names);
  const http::Answer answer = TRY(requests_.send(with_document("POST", {{"delete", ""}}, document), stop));
  if (is_unknown_verb(answer)) {
    deletes_in_bulk_ = false;
    return ObjectStore::remove_each(keys, stop);
  }
  if (!answer.ok()) return std::unexpected(error_of(answer, parse_error(answer.text()), "DELETE", options_.bucket));
  const DeleteFailure failure = TRY(parse_deleted(answer.text()));
  if (failure.code.empty()) return {};
  const ErrorKind kind = failure.code == "AccessDenied" ? ErrorKind::denied : ErrorKind::unavailable;
  return fail(kind, "deleting {}: {}", failure.name, failure.code);
}

Result<void> S3Store::remove_each(std::span<const Key> keys, std::stop_token stop) {
  if (keys.size() == 1 || !deletes_in_bulk_) return ObjectStore::remove_each(keys, stop);
  while (!keys.empty()) {
    const std::size_t count = std::min(keys.size(), kDeletedAtOnce);
    TRY(remove_batch(keys.first(count), stop));
    keys = keys.subspan(count);
  }
  return {};
}

}  // namespace hearth::store::s3
