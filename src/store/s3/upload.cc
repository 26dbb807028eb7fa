#include "store/s3/upload.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "store/body.h"
#include "store/patience.h"
#include "store/ranged.h"
#include "store/s3/documents.h"
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
          .payload_hash = util::sha256(bytes).hex()};
}

// One upload whose parts are sent by several threads.
class PartedUpload {
 public:
  PartedUpload(Requests& requests, const std::string& object, const Body& body, std::uint64_t size)
      : requests_(requests), object_(object), body_(body), size_(size), step_(part_size(size)) {
    parts_.resize(static_cast<std::size_t>((size + step_ - 1) / step_));
  }

  Result<void> create(const http::Headers& headers, const std::stop_token& stop) {
    const Call call{.method = "POST",
                    .object = object_,
                    .query = {{"uploads", ""}},
                    .headers = headers,
                    .content = std::span<const std::byte>()};
    const http::Answer answer = TRY(requests_.demand(call, "beginning an upload", stop));
    id_ = TRY(parse_upload_id(answer.text()));
    return {};
  }

  // The first failure ends all threads.
  Result<void> send_all(std::uint32_t threads, const std::stop_token& stop) {
    std::stop_source source;
    const std::stop_callback pass_on(stop, [&source] { source.request_stop(); });
    {
      std::vector<std::jthread> senders;
      for (std::size_t i = 0; i < std::min<std::size_t>(threads, parts_.size()); ++i) {
        senders.emplace_back([this, &source] { send_some(source); });
      }
    }
    if (failure_) return std::unexpected(*std::move(failure_));
    return {};
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
  void send_some(std::stop_source& source) {
    while (!source.stop_requested()) {
      const std::size_t index = next_++;
      if (index >= parts_.size()) return;
      const Result<std::string> etag = send_part(index, source.get_token());
      if (etag) {
        parts_[index] = {.number = static_cast<int>(index) + 1, .etag = *etag};
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = etag.error();
      source.request_stop();
    }
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = Error{ErrorKind::cancelled, "the upload was stopped"};
  }

  Result<std::string> send_part(std::size_t index, const std::stop_token& stop) {
    const std::uint64_t offset = index * step_;
    const ByteRange part{offset, std::min(step_, size_ - offset)};
    Call call = TRY(put_call(object_, body_, part, stop));
    call.query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", id_}};
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    return repeat(Patience(policy, clock), stop, [&]() -> Result<std::string> {
      const http::Answer answer = TRY(requests_.demand(call, fmt::format("storing part {}", index + 1), stop));
      std::string etag(http::value_of(answer.headers, "ETag"));
      if (etag.empty()) return fail(ErrorKind::unavailable, "the server named no ETag of a part");
      return etag;
    });
  }

  Requests& requests_;
  const std::string& object_;
  const Body& body_;
  const std::uint64_t size_;
  const std::uint64_t step_;
  std::string id_;
  std::vector<Part> parts_;  // each written by the thread that sent it
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;
  std::optional<Error> failure_;
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

Result<Version> version_of(const http::Answer& answer) {
  Version version{unquoted(http::value_of(answer.headers, "ETag"))};
  if (version.text.empty()) return fail(ErrorKind::unavailable, "the server named no ETag");
  return version;
}

Result<Version> upload_in_parts(Requests& requests, const S3Options& options, const std::string& object,
                                const Body& body, const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  if (size > kLargestObject) return fail(ErrorKind::invalid, "an object of S3 has at most 5 TiB");
  PartedUpload upload(requests, object, body, size);
  TRY(upload.create(creation_headers(options), stop));
  const Result<void> sent = upload.send_all(options.transfers, stop);
  Result<Version> version = sent ? upload.complete(stop) : Result<Version>(std::unexpected(sent.error()));
  if (!version) upload.abort();
  return version;
}

}  // namespace hearth::store::s3
