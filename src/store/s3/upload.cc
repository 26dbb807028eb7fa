#include "store/s3/upload.h"

#include <algorithm>
#include <utility>

#include "store/answers.h"
#include "store/body.h"
#include "store/damage.h"
#include "store/parts.h"
#include "store/patience.h"
#include "store/ranged.h"
#include "store/s3/documents.h"
#include "store/s3/errors.h"
#include "util/hash.h"
#include "util/mac.h"
#include "util/stop.h"

namespace hearth::store::s3 {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostParts = 10'000;
constexpr std::chrono::seconds kAbortLimit{10};
constexpr const char* kCompleting = "completing an upload";

std::string md5_header(util::Md5& md5) {
  return util::to_base64(md5.finish());
}

// Not sent again unseen: some servers answer the second one as if there had never been such an upload.
Call completing_call(const std::string& object, const std::string& id, const std::string& document) {
  const auto bytes = std::as_bytes(std::span(document));
  return {.method = "POST",
          .object = object,
          .query = {{"uploadId", id}},
          .headers = {{"Content-Type", "application/xml"}},
          .content = bytes,
          .payload_hash = util::sha256(bytes).hex(),
          .answering = http::Answering::late,
          .dead_connection = http::DeadConnection::fail};
}

// One upload, from its begin to its end.
class PartedUpload {
 public:
  PartedUpload(Requests& requests, const std::string& bucket, const std::string& object, const Body& body,
               std::uint64_t size)
      : requests_(requests), bucket_(bucket), object_(object), body_(body), size_(size) {
    parts_.resize(static_cast<std::size_t>((size + part_size(size) - 1) / part_size(size)));
    md5s_.resize(parts_.size());
  }

  Result<void> begin(const http::Headers& headers, const std::stop_token& stop) {
    const Call call{.method = "POST",
                    .object = object_,
                    .query = {{"uploads", ""}},
                    .headers = headers,
                    .content = std::span<const std::byte>()};
    const http::Answer answer = TRY(requests_.demand(call, "beginning an upload", stop));
    id_ = TRY(parse_upload_id(answer.text()));
    return {};
  }

  Result<void> send(std::uint32_t transfers, const std::stop_token& stop) {
    const SendPart one = [this](std::size_t index, ByteRange part, const std::stop_token& stop_one) -> Result<void> {
      Call call = TRY(put_call(object_, body_, part, stop_one));
      call.query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", id_}};
      const http::Answer answer = TRY(requests_.demand(call, fmt::format("storing part {}", index + 1), stop_one));
      std::string etag(http::value_of(answer.headers, "ETag"));
      if (etag.empty()) return fail(ErrorKind::unavailable, "the server named no ETag of a part");
      md5s_[index] = util::from_base64(http::value_of(call.headers, "Content-MD5")).value_or(Bytes());
      parts_[index] = {.number = static_cast<int>(index) + 1, .etag = std::move(etag)};
      return {};
    };
    return send_parts(size_, part_size(size_), transfers, one, stop);
  }

  Result<Version> complete(const std::stop_token& stop) {
    const std::string document = complete_document(parts_);
    const Call call = completing_call(object_, id_, document);
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    return repeat(Patience(policy, clock, Repeated::step), stop, [&] { return complete_once(call, stop); });
  }

  // Whatever comes of it; the server forgets unfinished uploads some day by the bucket's rules.
  void abort() {
    const util::StopAfter limit({}, kAbortLimit);
    const Call call{.method = "DELETE", .object = object_, .query = {{"uploadId", id_}}};
    (void)requests_.send(call, limit.token());
  }

 private:
  using Bytes = std::vector<std::byte>;

  Result<Version> complete_once(const Call& call, const std::stop_token& stop) {
    // Until an answer says that nothing has happened.
    const bool before = std::exchange(may_be_complete_, true);
    const http::Answer answer = TRY(within(kCompleting, requests_.send(call, stop)));
    // A server that takes its time begins with 200, and may have to take it back.
    const ErrorDocument document = parse_error(answer.text());
    if (answer.ok() && document.code.empty()) {
      std::string etag = TRY(parse_completed(answer.text()));
      return Version{std::move(etag)};
    }
    // Some servers forget an upload that is complete, so that an answer which got lost looks as if there had been none.
    if (before && document.code == "NoSuchUpload") {
      const bool complete = TRY(is_there(stop));
      if (complete) return Version{etag_of_all()};
    }
    may_be_complete_ = before || answer.ok() || answer.status >= 500;
    return std::unexpected(error_of(answer, document, kCompleting, bucket_));
  }

  // unavailable: the server cannot say just now.
  Result<bool> is_there(const std::stop_token& stop) {
    const http::Answer answer = TRY(within(kCompleting, requests_.send({.method = "HEAD", .object = object_}, stop)));
    if (http::kind_of_status(answer.status) == ErrorKind::unavailable) {
      return std::unexpected(error_of(answer, {}, kCompleting, bucket_));
    }
    return answer.ok() && unquoted(http::value_of(answer.headers, "ETag")) == etag_of_all();
  }

  // As servers make it of the parts' MD5s; where they do otherwise (encryption by KMS), it fits nothing.
  std::string etag_of_all() const {
    util::Md5 md5;
    for (const Bytes& part : md5s_) md5.update(part);
    return fmt::format("{}-{}", util::to_hex(md5.finish()), md5s_.size());
  }

  Requests& requests_;
  const std::string& bucket_;
  const std::string& object_;
  const Body& body_;
  const std::uint64_t size_;
  std::string id_;
  std::vector<Part> parts_;  // each written by the thread that sent it
  std::vector<Bytes> md5s_;  // so are these
  bool may_be_complete_ = false;
};

}  // namespace

std::uint64_t part_size(std::uint64_t size) {
  constexpr std::uint64_t kSmallest = 8 * kMiB;
  const std::uint64_t needed = (size + kMostParts - 1) / kMostParts;
  return std::max(kSmallest, (needed + kMiB - 1) / kMiB * kMiB);
}

http::Headers creation_headers(const S3Options& options) {
  http::Headers headers = {{"Content-Type", "application/octet-stream"}};
  if (!options.sse.empty()) headers.push_back({"x-amz-server-side-encryption", options.sse});
  if (!options.kms_key.empty()) headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", options.kms_key});
  if (!options.storage_class.empty()) headers.push_back({"x-amz-storage-class", options.storage_class});
  return headers;
}

Result<Call> put_call(const std::string& object, const Body& body, ByteRange part, const std::stop_token& stop) {
  util::Sha256 sha256;
  util::Md5 md5;
  const auto hash = [&](std::span<const std::byte> piece) -> Result<void> {
    sha256.update(piece);
    md5.update(piece);
    return {};
  };
  TRY(for_each_piece(body, part, hash, stop));
  return Call{.method = "PUT",
              .object = object,
              .query = {},
              .headers = {{"Content-MD5", md5_header(md5)}},
              .content = content_of(body, part),
              .payload_hash = sha256.finish().hex()};
}

Result<Version> upload_in_parts(Requests& requests, const S3Options& options, const std::string& object,
                                const Body& body, const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  if (size > kLargestObject) return fail(ErrorKind::invalid, "an object of S3 has at most 5 TiB");
  PartedUpload upload(requests, options.bucket, object, body, size);
  TRY(upload.begin(creation_headers(options), stop));
  const Result<void> sent = upload.send(options.transfers, stop);
  Result<Version> version = sent ? upload.complete(stop) : Result<Version>(std::unexpected(sent.error()));
  if (!version) upload.abort();
  return version;
}

Result<Checksums> upload_damaged(Requests& requests, const S3Options& options, const std::string& object,
                                 const std::stop_token& stop) {
  const std::span<const std::byte> sent = damaged_bytes();
  Call call = TRY(put_call(object, sent, {0, sent.size()}, stop));
  util::Md5 md5;
  md5.update(intact_bytes());
  call.headers = creation_headers(options);
  call.headers.push_back({"Content-MD5", md5_header(md5)});
  const http::Answer answer = TRY(within("PUT", requests.send(call, stop)));
  if (answer.ok()) return Checksums::ignored;
  const ErrorDocument document = parse_error(answer.text());
  if (is_damage(document.code)) return Checksums::honoured;
  return std::unexpected(error_of(answer, document, "PUT", options.bucket));
}

}  // namespace hearth::store::s3
