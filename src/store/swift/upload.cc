#include "store/swift/upload.h"

#include <algorithm>
#include <utility>

#include "store/answers.h"
#include "store/body.h"
#include "store/damage.h"
#include "store/parts.h"
#include "store/patience.h"
#include "store/ranged.h"
#include "store/swift/errors.h"
#include "store/swift/listing.h"
#include "util/hash.h"
#include "util/mac.h"
#include "util/stop.h"
#include "util/text.h"

namespace hearth::store::swift {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kUsualSegment = 1024 * kMiB;
constexpr std::chrono::seconds kCleaningLimit{10};
constexpr int kPreconditionFailed = 412;

Result<std::string> md5_of(const Body& body, ByteRange part, const std::stop_token& stop) {
  const util::Md5::Value md5 = TRY(md5_of_part(body, part, stop));
  return util::to_hex(md5);
}

// The further headers of a put are its condition.
http::DeadConnection unless_conditional(const http::Headers& headers) {
  return dead_connection(headers.empty() ? Condition::none() : Condition::if_absent());
}

Call whole_call(const std::string& name, const std::string& md5, const http::Content& content) {
  return {.method = "PUT",
          .object = name,
          .headers = {{"ETag", md5}, {"Content-Type", "application/octet-stream"}},
          .content = content};
}

// The error of an answer to a PUT that is none of 2xx.
Error error_of_put(const http::Answer& answer, Requests& requests, const std::stop_token& stop) {
  if (answer.status == kPreconditionFailed) {
    return {ErrorKind::conflict, "PUT: the object was changed by another writer", {}};
  }
  return requests.explain(answer, "PUT", stop);
}

// Its version, which is the MD5 that it was sent with.
Result<Version> checked_version(const http::Answer& answer, const std::string& md5) {
  Version version = TRY(version_of(answer));
  if (version.text != md5) return fail(ErrorKind::unavailable, "PUT: the server has stored something else");
  return version;
}

// One object on its way, from its first segment to its manifest.
class SegmentedUpload {
 public:
  SegmentedUpload(Requests& requests, std::string container, const std::string& name, const Body& body,
                  std::uint64_t size, std::uint64_t bytes_each)
      : requests_(requests),
        container_(std::move(container)),
        name_(name),
        below_(fmt::format("{}{}/{}/", kSegments, name, util::random_hex(8))),
        body_(body),
        size_(size),
        bytes_each_(bytes_each) {
    segments_.resize(static_cast<std::size_t>((size + bytes_each - 1) / bytes_each));
  }

  Result<void> send(std::uint32_t transfers, const std::stop_token& stop) {
    const SendPart one = [this](std::size_t index, ByteRange part, const std::stop_token& stop_one) -> Result<void> {
      const std::string md5 = TRY(md5_of(body_, part, stop_one));
      const std::string segment = segment_name(index);
      const Call call = whole_call(segment, md5, content_of(body_, part));
      const http::Answer answer = TRY(requests_.demand(call, fmt::format("storing segment {}", index + 1), stop_one));
      TRY(checked_version(answer, md5));
      segments_[index] = {.path = "/" + container_ + "/" + segment, .etag = md5, .size = part.length};
      return {};
    };
    return send_parts(size_, bytes_each_, transfers, one, stop);
  }

  Result<Version> complete(const http::Headers& headers, const std::stop_token& stop) {
    const std::string document = manifest_document(segments_);
    // Without an ETag, which servers compare with different things here; that of the answer is the same everywhere.
    Call call{.method = "PUT",
              .object = name_,
              .query = "multipart-manifest=put",
              .headers = {{"Content-Type", std::string(kManifestType)}},
              .content = std::as_bytes(std::span(document)),
              .answering = http::Answering::late,
              .dead_connection = unless_conditional(headers)};
    call.headers.insert(call.headers.end(), headers.begin(), headers.end());
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    Result<Version> version =
        repeat(Patience(policy, clock, Repeated::step), stop, [&] { return put_manifest(call, stop); });
    // They will not appear any more; others, sent anew, may.
    if (!version && segments_missing_) version.error().retry = Retry::whole;
    return version;
  }

  // Whether the manifest may be there after a failure, so that the segments have to stay.
  bool may_be_stored() const { return may_be_stored_; }

  // Whatever comes of it; the removal of the object takes what stays.
  void clean() {
    const util::StopAfter limit({}, kCleaningLimit);
    std::vector<std::string> names;
    for (std::size_t index = 0; index < segments_.size(); ++index) names.push_back(segment_name(index));
    (void)remove_names(requests_, names, limit.token());
  }

 private:
  Result<Version> put_manifest(const Call& call, const std::stop_token& stop) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the upload was stopped");
    // Until an answer says that nothing has happened.
    const bool before = std::exchange(may_be_stored_, true);
    segments_missing_ = false;
    const Result<http::Answer> sent = within("PUT", requests_.send(call, stop));
    if (!sent) {
      // No credentials, or nothing that can be sent: it did not travel.
      if (sent.error().kind == ErrorKind::denied || sent.error().kind == ErrorKind::invalid) may_be_stored_ = before;
      return std::unexpected(sent.error());
    }
    const http::Answer& answer = *sent;
    if (answer.ok()) return checked_version(answer, md5_of_all());
    if (answer.status >= 500) return std::unexpected(error_of_put(answer, requests_, stop));
    may_be_stored_ = before;
    // A segment that the server does not see yet, or no more.
    if (answer.status == 400 || answer.status == kNotFound) {
      segments_missing_ = true;
      return fail(ErrorKind::unavailable, "PUT: the server does not find all segments ({})", answer.status);
    }
    // The answer to an earlier try may have got lost, and its manifest be what is in the way of this one.
    if (answer.status == kPreconditionFailed && is_there(stop)) return Version{md5_of_all()};
    return std::unexpected(error_of_put(answer, requests_, stop));
  }

  bool is_there(const std::stop_token& stop) {
    const Result<http::Answer> answer = requests_.send({.method = "HEAD", .object = name_}, stop);
    return answer && answer->ok() && unquoted(http::value_of(answer->headers, "ETag")) == md5_of_all();
  }

  std::string segment_name(std::size_t index) const { return fmt::format("{}{:08}", below_, index); }

  // The ETag of a manifest: the MD5 of its segments' ETags in a row.
  std::string md5_of_all() const {
    util::Md5 md5;
    for (const Segment& segment : segments_) md5.update(std::as_bytes(std::span(segment.etag)));
    return util::to_hex(md5.finish());
  }

  Requests& requests_;
  const std::string container_;
  const std::string& name_;
  const std::string below_;
  const Body& body_;
  const std::uint64_t size_;
  const std::uint64_t bytes_each_;
  bool may_be_stored_ = false;
  bool segments_missing_ = false;  // at the last try
  std::vector<Segment> segments_;  // each written by the thread that sent it
};

}  // namespace

Result<std::uint64_t> segment_size(std::uint64_t size, std::uint64_t wanted, const Capabilities& server) {
  const std::uint64_t limit = server.largest_object;
  if (size <= (wanted == 0 ? limit : std::min(wanted, limit))) return std::uint64_t{0};
  const std::uint64_t usual = std::min(wanted == 0 ? kUsualSegment : wanted, limit);
  const std::uint64_t needed = (size + server.most_segments - 1) / server.most_segments;
  const std::uint64_t each = std::max(usual, (needed + kMiB - 1) / kMiB * kMiB);
  if (server.has_segments && each <= limit) return each;
  if (size <= limit) return std::uint64_t{0};
  return fail(ErrorKind::invalid, "{} bytes are more than this server holds in one object", size);
}

Result<Version> put_whole(Requests& requests, const std::string& name, const Body& body, const http::Headers& headers,
                          const std::stop_token& stop) {
  const ByteRange all{0, TRY(body_size(body))};
  const std::string md5 = TRY(md5_of(body, all, stop));
  Call call = whole_call(name, md5, content_of(body, all));
  call.dead_connection = unless_conditional(headers);
  call.headers.insert(call.headers.end(), headers.begin(), headers.end());
  const http::Answer answer = TRY(within("PUT", requests.send(call, stop)));
  if (!answer.ok()) return std::unexpected(error_of_put(answer, requests, stop));
  return checked_version(answer, md5);
}

Result<Checksums> put_damaged(Requests& requests, const std::string& name, const std::stop_token& stop) {
  const std::string md5 = TRY(md5_of(intact_bytes(), {0, intact_bytes().size()}, stop));
  const http::Answer answer = TRY(within("PUT", requests.send(whole_call(name, md5, damaged_bytes()), stop)));
  if (answer.ok()) return Checksums::ignored;
  if (answer.status == kDamagedStatus) return Checksums::honoured;
  return std::unexpected(requests.explain(answer, "PUT", stop));
}

Result<Version> put_in_segments(Requests& requests, const SwiftOptions& options, const std::string& name,
                                const Body& body, std::uint64_t bytes_each, const http::Headers& headers,
                                const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  SegmentedUpload upload(requests, options.container, name, body, size, bytes_each);
  const Result<void> sent = upload.send(options.transfers, stop);
  Result<Version> version = sent ? upload.complete(headers, stop) : Result<Version>(std::unexpected(sent.error()));
  if (!version && !upload.may_be_stored()) upload.clean();
  return version;
}

}  // namespace hearth::store::swift
