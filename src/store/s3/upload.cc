#include "store/s3/upload.h"

#include <algorithm>

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

std::string md5_header(util::Md5& md5) {
  return util::to_base64(md5.finish());
}

Call document_call(const std::string& object, const std::string& id, const std::string& document) {
  const auto bytes = std::as_bytes(std::span(document));
  return {.method = "POST",
          .object = object,
          .query = {{"uploadId", id}},
          .headers = {{"Content-Type", "application/xml"}},
          .content = bytes,
          .payload_hash = util::sha256(bytes).hex(),
          .answering = http::Answering::late};
}

// One upload, from its begin to its end.
class PartedUpload {
 public:
  PartedUpload(Requests& requests, const std::string& object, const Body& body, std::uint64_t size)
      : requests_(requests), object_(object), body_(body), size_(size) {
    parts_.resize(static_cast<std::size_t>((size + part_size(size) - 1) / part_size(size)));
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
      parts_[index] = {.number = static_cast<int>(index) + 1, .etag = std::move(etag)};
      return {};
    };
    return send_parts(size_, part_size(size_), transfers, one, stop);
  }

  Result<Version> complete(const std::stop_token& stop) {
    const std::string document = complete_document(parts_);
    const Call call = document_call(object_, id_, document);
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    return repeat(Patience(policy, clock), stop, [&]() -> Result<Version> {
      const http::Answer answer = TRY(requests_.demand(call, "completing an upload", stop));
      std::string etag = TRY(parse_completed(answer.text()));
      return Version{std::move(etag)};
    });
  }

  // Whatever comes of it; the server forgets unfinished uploads some day by the bucket's rules.
  void abort() {
    const util::StopAfter limit({}, kAbortLimit);
    const Call call{.method = "DELETE", .object = object_, .query = {{"uploadId", id_}}};
    (void)requests_.send(call, limit.token());
  }

 private:
  Requests& requests_;
  const std::string& object_;
  const Body& body_;
  const std::uint64_t size_;
  std::string id_;
  std::vector<Part> parts_;  // each written by the thread that sent it
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
  PartedUpload upload(requests, object, body, size);
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
