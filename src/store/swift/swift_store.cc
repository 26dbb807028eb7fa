#include "store/swift/swift_store.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "store/answers.h"
#include "store/body.h"
#include "store/ranged.h"
#include "store/swift/errors.h"
#include "store/swift/listing.h"
#include "store/swift/upload.h"

namespace hearth::store::swift {
namespace {

constexpr int kRangeNotSatisfiable = 416;

// All but the size. X-Timestamp is exact, where Last-Modified may be rounded up, into the future.
Result<ObjectInfo> info_in(const Key& key, const http::Answer& answer) {
  ObjectInfo info = TRY(info_of(key, answer));
  const std::string_view text = http::value_of(answer.headers, "X-Timestamp");
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || seconds == 0) return info;
  info.modified = StoreTime(std::chrono::seconds(seconds));
  info.now = std::max(time_of(answer), info.modified);
  return info;
}

// The object that a segment is of.
std::string_view owner_of(std::string_view segment) {
  segment.remove_prefix(kSegments.size());
  for (int i = 0; i < 2; ++i) segment = segment.substr(0, std::min(segment.rfind('/'), segment.size()));
  return segment;
}

}  // namespace

Result<void> SwiftStore::create_bucket(const std::stop_token& stop) {
  const http::Answer there = TRY(requests_.send({.method = "HEAD", .of = Call::Of::container}, stop));
  if (there.ok()) return {};
  if (there.status != kNotFound) return std::unexpected(error_of(there, "looking for the container"));
  const http::Answer made = TRY(requests_.send({.method = "PUT",
                                                .of = Call::Of::container,
                                                .content = std::span<const std::byte>(),
                                                .answering = http::Answering::late},
                                               stop));
  if (made.ok()) return {};
  return std::unexpected(error_of(made, "creating the container " + options_.container));
}

Result<Object> SwiftStore::get(const Key& key, ByteRange range, std::stop_token stop) {
  const RangedVerbs verbs{
      .ask = [&](const std::optional<std::string>& wanted, std::uint64_t limit) -> Result<http::Answer> {
        Call call{.method = "GET", .object = name_of(key)};
        if (wanted) call.headers.push_back({"Range", *wanted});
        call.answer_limit = limit;
        http::Answer answer = TRY(requests_.send(call, stop));
        if (answer.ok() || answer.status == kRangeNotSatisfiable) return answer;
        return std::unexpected(requests_.explain(answer, "GET", stop));
      },
      .info = [&](const http::Answer& answer) { return info_in(key, answer); },
      .stat = [&] { return stat(key, stop); }};
  return within(key.text(), get_ranged(range, verbs));
}

Result<ObjectInfo> SwiftStore::stat(const Key& key, std::stop_token stop) {
  const http::Answer answer =
      TRY(within(key.text(), requests_.demand({.method = "HEAD", .object = name_of(key)}, "HEAD", stop)));
  ObjectInfo info = TRY(info_in(key, answer));
  info.size = TRY(within(key.text(), content_length(answer)));
  return info;
}

Result<void> SwiftStore::check_version(const Key& key, const Version& version, const std::stop_token& stop) {
  const Result<ObjectInfo> there = stat(key, stop);
  if (!there && there.error().kind != ErrorKind::not_found) return std::unexpected(there.error());
  if (there && there->version == version) return {};
  return fail(ErrorKind::conflict, "{} was changed by another writer", key.text());
}

Result<Version> SwiftStore::put_named(const std::string& name, const Body& body, const http::Headers& headers,
                                      const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  if (size <= kAlwaysTaken && (options_.segment_size == 0 || size <= options_.segment_size)) {
    return put_whole(requests_, name, body, headers, stop);
  }
  const Capabilities server = TRY(requests_.capabilities(stop));
  const std::uint64_t each = TRY(segment_size(size, options_.segment_size, server));
  if (each == 0) return put_whole(requests_, name, body, headers, stop);
  return put_in_segments(requests_, options_, name, body, each, headers, stop);
}

Result<Version> SwiftStore::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  const std::string name = name_of(key);
  if (name.starts_with(kSegments)) {
    return fail(ErrorKind::invalid, "{}: names below {} are those of segments", key.text(), kSegments);
  }
  http::Headers headers;
  if (condition.kind == Condition::Kind::if_version) TRY(check_version(key, condition.version, stop));
  if (condition.kind == Condition::Kind::if_absent) headers.push_back({"If-None-Match", "*"});
  Result<Version> version = put_named(name, body, headers, stop);
  if (!version && version.error().kind == ErrorKind::conflict && headers.empty()) {
    // No condition was sent: it is the name that the server objects to.
    return fail(ErrorKind::invalid, "{}: the server refuses the name", key.text());
  }
  if (!version && version.error().kind == ErrorKind::not_found) {
    return within(key.text(), Result<Version>(std::unexpected(absent_container(options_.container))));
  }
  return within(key.text(), std::move(version));
}

Result<Checksums> SwiftStore::try_checksums(const Key& key, std::stop_token stop) {
  return within(key.text(), put_damaged(requests_, name_of(key), stop));
}

Result<ObjectInfo> SwiftStore::listed_info(const Key& key, const ListedObject& object, StoreTime now,
                                           const std::stop_token& stop) {
  if (object.is_bare_manifest) return stat(key, stop);
  return ObjectInfo{.key = key,
                    .size = object.size,
                    .version = {object.etag},
                    .modified = object.modified,
                    .now = std::max(now, object.modified)};
}

Result<void> SwiftStore::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  const auto visit_one = [&](const ListedObject& object, StoreTime now) -> Result<void> {
    if (object.name.starts_with(kSegments)) return {};
    const Result<Key> key = Key::parse(object.name.substr(options_.prefix.size()));
    if (!key) return {};
    const Result<ObjectInfo> info = listed_info(*key, object, now, stop);
    if (info) return visit(*info);
    // Removed meanwhile.
    if (info.error().kind == ErrorKind::not_found) return {};
    return std::unexpected(info.error());
  };
  return for_each_named(requests_, options_.prefix + prefix.text(), visit_one, stop);
}

Result<void> SwiftStore::remove(const Key& key, std::stop_token stop) {
  return remove_each({&key, 1}, std::move(stop));
}

Result<void> SwiftStore::remove_each(std::span<const Key> keys, std::stop_token stop) {
  if (keys.empty()) return {};
  std::set<std::string, std::less<>> names;
  for (const Key& key : keys) names.insert(name_of(key));
  TRY(remove_names(requests_, std::vector<std::string>(names.begin(), names.end()), stop));
  // What they have in common, so that one key's segments are found without those of all others.
  const std::string& first = *names.begin();
  const std::string common = names.size() == 1 ? first + "/" : options_.prefix;
  std::vector<std::string> segments;
  const auto collect = [&](const ListedObject& object, StoreTime) -> Result<void> {
    if (names.contains(owner_of(object.name))) segments.push_back(object.name);
    return {};
  };
  TRY(for_each_named(requests_, std::string(kSegments) + common, collect, stop));
  return remove_names(requests_, segments, stop);
}

}  // namespace hearth::store::swift
