#include "store/s3/conditional.h"

#include "store/answers.h"
#include "store/own_write.h"
#include "store/ranged.h"
#include "store/s3/documents.h"
#include "store/s3/errors.h"
#include "store/s3/upload.h"

namespace hearth::store::s3 {
namespace {

constexpr int kPreconditionFailed = 412;
constexpr int kNotFound = 404;
constexpr int kNotImplemented = 501;

Error error_of_put(const http::Answer& answer, const std::string& bucket) {
  return error_of(answer, parse_error(answer.text()), "a conditional put", bucket);
}

bool is_refusal(const http::Answer& answer, const ErrorDocument& document) {
  return answer.status == kPreconditionFailed || (answer.status == kNotFound && document.code != "NoSuchBucket");
}

// What became of a put whose answer does not say: it happened, another writer was faster, or nothing has changed, and
// then `unclear` stands.
Result<Version> look(const Error& unclear, const Condition& condition, ObjectStore& store, const Key& key,
                     const Body& body, const std::stop_token& stop) {
  const Result<ObjectInfo> there = store.stat(key, stop);
  if (!there && there.error().kind != ErrorKind::not_found) return std::unexpected(unclear);
  const bool wanted_absent = condition.kind == Condition::Kind::if_absent;
  if (!there && wanted_absent) return std::unexpected(unclear);
  if (!there) return fail(ErrorKind::conflict, "{} was removed by another writer", key.text());
  if (!wanted_absent && there->version == condition.version) return std::unexpected(unclear);
  return version_if_equal(store, key, body, stop);
}

}  // namespace

Result<http::Answer> ConditionalPuts::send(Call call, const Condition& condition, bool quoted,
                                           const std::stop_token& stop) {
  call.dead_connection = dead_connection(condition);
  if (condition.kind == Condition::Kind::if_absent) call.headers.push_back({"If-None-Match", "*"});
  if (condition.kind == Condition::Kind::if_version) {
    const std::string& etag = condition.version.text;
    call.headers.push_back({"If-Match", quoted ? fmt::format("\"{}\"", etag) : etag});
  }
  http::Answer answer = TRY(requests_.send(call, stop));
  if (answer.status == kPreconditionFailed) {
    Knowledge unknown = Knowledge::unknown;
    known_.compare_exchange_strong(unknown, Knowledge::honoured);
  }
  if (answer.status == kNotImplemented) known_ = Knowledge::ignored;
  return answer;
}

Result<std::optional<Version>> ConditionalPuts::ask(const Call& call, const std::stop_token& stop) {
  const Condition impossible = Condition::if_version({"00000000000000000000000000000000"});
  const http::Answer answer = TRY(send(call, impossible, quoted_, stop));
  const ErrorDocument document = parse_error(answer.text());
  if (answer.ok()) {
    known_ = Knowledge::ignored;
    const Version version = TRY(version_of(answer));
    return version;
  }
  if (is_refusal(answer, document)) {
    Knowledge unknown = Knowledge::unknown;
    known_.compare_exchange_strong(unknown, Knowledge::honoured);
    return std::nullopt;
  }
  // Races make some servers answer so; the question stays open until the next put.
  if (answer.status == kNotImplemented || answer.status == 409 || answer.status == 500) return std::nullopt;
  return std::unexpected(error_of_put(answer, bucket_));
}

Result<Version> ConditionalPuts::put(const Call& call, const Condition& condition, ObjectStore& store, const Key& key,
                                     const Body& body, const std::stop_token& stop) {
  if (known_ == Knowledge::unknown) {
    const std::optional<Version> taken = TRY(ask(call, stop));
    if (taken) return *taken;
  }
  const Condition honoured = known_ == Knowledge::ignored ? Condition::none() : condition;
  const bool quoted = quoted_;
  http::Answer answer = TRY(send(call, honoured, quoted, stop));
  if (answer.status == kNotImplemented && honoured.kind != Condition::Kind::none) {
    answer = TRY(send(call, Condition::none(), quoted, stop));
  }
  const bool by_version = honoured.kind == Condition::Kind::if_version;
  if (answer.status == kPreconditionFailed && by_version && quoted) {
    const Result<ObjectInfo> there = store.stat(key, stop);
    if (there && there->version == condition.version) {
      answer = TRY(send(call, condition, false, stop));
      if (answer.ok()) quoted_ = false;
    }
  }
  if (answer.ok()) return version_of(answer);
  const ErrorDocument document = parse_error(answer.text());
  if (honoured.kind != Condition::Kind::none && is_refusal(answer, document)) {
    return fail(ErrorKind::conflict, "{} was changed by another writer", key.text());
  }
  Error error = error_of_put(answer, bucket_);
  if (error.kind != ErrorKind::unavailable || honoured.kind == Condition::Kind::none) return std::unexpected(error);
  return look(error, condition, store, key, body, stop);
}

}  // namespace hearth::store::s3
