#include "store/gcs/gcs_store.h"

#include <algorithm>

#include "store/answers.h"
#include "store/gcs/errors.h"
#include "store/gcs/upload.h"
#include "store/parts.h"
#include "store/ranged.h"
#include "util/crc32c.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

constexpr int kConflict = 409;
constexpr int kRangeNotSatisfiable = 416;
constexpr std::uint32_t kDeletionsAtATime = 8;

ObjectInfo info_of_resource(const Key& key, const Resource& resource, StoreTime now) {
  return {.key = key,
          .size = resource.size,
          .version = {resource.generation},
          .modified = resource.created,
          .now = std::max(now, resource.created)};
}

// Of the fields x-goog-hash, of which there may be several, or one with several values.
std::optional<std::uint32_t> announced_crc32c(const http::Headers& headers) {
  constexpr std::string_view kName = "crc32c=";
  for (const std::string_view field : http::values_of(headers, "x-goog-hash")) {
    for (const std::string_view part : util::split(field, ',')) {
      const std::string_view value = util::trim(part);
      if (value.starts_with(kName)) return decode_crc32c(value.substr(kName.size()));
    }
  }
  return std::nullopt;
}

// The hash is the whole object's: it says nothing of a part.
Result<void> check_content(const Object& object, std::optional<std::uint32_t> announced) {
  if (!announced || object.bytes.size() != object.info.size) return {};
  util::Crc32c crc;
  crc.update(object.bytes);
  if (crc.value() != *announced) return fail(ErrorKind::unavailable, "the object was damaged on its way here");
  return {};
}

}  // namespace

Result<void> GcsStore::create_bucket(const std::stop_token& stop) {
  const bool there = TRY(requests_.has_bucket(stop));
  if (there) return {};
  if (options_.project.empty() && options_.login == Login::credentials) {
    return fail(ErrorKind::invalid, "creating the bucket {} needs a project: the store's parameter project, or {}",
                options_.bucket, "GOOGLE_CLOUD_PROJECT");
  }
  const std::string document = bucket_document(options_.bucket, options_.location, options_.storage_class);
  const Call call{.method = "POST",
                  .path = "/storage/v1/b",
                  .query = {{"project", first_of({options_.project, "hearth"})}},
                  .headers = {{"Content-Type", "application/json; charset=UTF-8"}},
                  .content = std::as_bytes(std::span(document)),
                  .answering = http::Answering::late};
  const http::Answer made = TRY(requests_.send(call, stop));
  if (made.ok()) return {};
  const std::string operation = "creating the bucket " + options_.bucket;
  if (made.status != kConflict) return std::unexpected(error_of(made, operation, options_.bucket));
  // Somebody was faster; or it is somebody else's.
  const Result<bool> now_there = requests_.has_bucket(stop);
  if (now_there && *now_there) return {};
  return fail(ErrorKind::denied, "{}: the name is taken", operation);
}

Result<ObjectInfo> GcsStore::stat_generation(const Key& key, const std::string& generation,
                                             const std::stop_token& stop) {
  Call call{.method = "GET",
            .path = requests_.object_path(name_of(key)),
            .query = {{"fields", std::string(kResourceFields)}}};
  if (!generation.empty()) call.query.emplace_back("generation", generation);
  const http::Answer answer = TRY(within(key.text(), requests_.demand(call, "examining", stop)));
  const Resource resource = TRY(within(key.text(), parse_resource(answer.text())));
  return info_of_resource(key, resource, time_of(answer));
}

Result<ObjectInfo> GcsStore::stat(const Key& key, std::stop_token stop) {
  return stat_generation(key, "", stop);
}

// All but the size. Where the answer does not say when the object was written, its description does.
Result<ObjectInfo> GcsStore::info_of(const Key& key, const http::Answer& answer, const std::stop_token& stop) {
  const std::string generation(http::value_of(answer.headers, "X-Goog-Generation"));
  if (generation.empty()) return fail(ErrorKind::unavailable, "the server named no generation");
  const auto modified = http::parse_date(http::value_of(answer.headers, "Last-Modified"));
  const StoreTime now = time_of(answer);
  if (modified) {
    return ObjectInfo{.key = key,
                      .size = 0,
                      .version = {generation},
                      .modified = *modified,
                      .now = std::max<StoreTime>(now, *modified)};
  }
  Result<ObjectInfo> described = stat_generation(key, generation, stop);
  if (!described && described.error().kind == ErrorKind::not_found) described.error().kind = ErrorKind::unavailable;
  return described;
}

Result<Object> GcsStore::get(const Key& key, ByteRange range, std::stop_token stop) {
  std::optional<std::uint32_t> announced;
  const RangedVerbs verbs{
      .ask = [&](const std::optional<std::string>& wanted, std::uint64_t limit) -> Result<http::Answer> {
        Call call{.method = "GET", .path = requests_.object_path(name_of(key)), .query = {{"alt", "media"}}};
        if (wanted) call.headers.push_back({"Range", *wanted});
        call.answer_limit = limit;
        http::Answer answer = TRY(requests_.demand(call, "reading", stop, kRangeNotSatisfiable));
        announced = announced_crc32c(answer.headers);
        return answer;
      },
      .info = [&](const http::Answer& answer) { return info_of(key, answer, stop); },
      .stat = [&] { return stat(key, stop); }};
  Object object = TRY(within(key.text(), get_ranged(range, verbs)));
  TRY(within(key.text(), check_content(object, announced)));
  return object;
}

Result<Version> GcsStore::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  const NewObject object{
      .name = name_of(key), .storage_class = options_.storage_class, .body = body, .condition = condition};
  return within(key.text(), upload(requests_, object, stop));
}

Result<Checksums> GcsStore::try_checksums(const Key& key, std::stop_token stop) {
  return within(key.text(), upload_damaged(requests_, name_of(key), options_.storage_class, stop));
}

Result<void> GcsStore::visit_page(const ListPage& page, StoreTime now, const Visitor& visit) const {
  for (const Resource& resource : page.objects) {
    if (!resource.name.starts_with(options_.prefix)) continue;
    const Result<Key> key = Key::parse(resource.name.substr(options_.prefix.size()));
    if (key) TRY(visit(info_of_resource(*key, resource, now)));
  }
  return {};
}

Result<void> GcsStore::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  std::string token;
  do {
    Call call{.method = "GET",
              .path = requests_.objects_path(),
              .query = {{"maxResults", "1000"}, {"fields", fmt::format("nextPageToken,items({})", kResourceFields)}}};
    call.answer_limit = std::uint64_t{32} << 20;
    call.about = About::bucket;
    call.answering = http::Answering::late;
    const std::string below = options_.prefix + prefix.text();
    if (!below.empty()) call.query.emplace_back("prefix", below);
    if (!token.empty()) call.query.emplace_back("pageToken", token);
    const http::Answer answer = TRY(requests_.demand(call, "listing " + options_.shown, stop));
    const ListPage page = TRY(parse_list(answer.text()));
    if (!page.next.empty() && page.next == token) return fail(ErrorKind::unavailable, "the listing does not go on");
    TRY(visit_page(page, time_of(answer), visit));
    token = page.next;
  } while (!token.empty());
  return {};
}

Result<void> GcsStore::remove(const Key& key, std::stop_token stop) {
  const Call call{.method = "DELETE", .path = requests_.object_path(name_of(key))};
  const auto removed = requests_.demand(call, "deleting", stop);
  if (removed || removed.error().kind == ErrorKind::not_found) return {};
  return within(key.text(), Result<void>(std::unexpected(removed.error())));
}

Result<void> GcsStore::remove_each(std::span<const Key> keys, std::stop_token stop) {
  const SendPart one = [&](std::size_t index, ByteRange, const std::stop_token& stop_one) {
    return remove(keys[index], stop_one);
  };
  return send_parts(keys.size(), 1, kDeletionsAtATime, one, stop);
}

}  // namespace hearth::store::gcs
