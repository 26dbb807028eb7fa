#include "store/gcs/upload.h"

#include "store/body.h"
#include "store/damage.h"
#include "store/gcs/errors.h"
#include "store/patience.h"
#include "store/ranged.h"
#include "util/crc32c.h"
#include "util/stop.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

constexpr int kIncomplete = 308;
constexpr int kBadRequest = 400;
constexpr std::chrono::seconds kCancelLimit{10};
constexpr const char* kJson = "application/json; charset=UTF-8";
constexpr const char* kBinary = "application/octet-stream";

struct Content {
  std::uint64_t size = 0;
  std::uint32_t crc32c = 0;
};

Result<Content> examine(const Body& body, const std::stop_token& stop) {
  Content content;
  content.size = TRY(body_size(body));
  util::Crc32c crc;
  const auto add = [&crc](std::span<const std::byte> piece) -> Result<void> {
    crc.update(piece);
    return {};
  };
  TRY(for_each_piece(body, {0, content.size}, add, stop));
  content.crc32c = crc.value();
  return content;
}

http::Header hash_header(const Content& content) {
  return {"x-goog-hash", "crc32c=" + encode_crc32c(content.crc32c)};
}

// What begins an upload of either kind.
Call upload_call(const Requests& requests, const NewObject& object, const char* type) {
  Call call{.method = "POST",
            .path = "/upload" + requests.objects_path(),
            .query = {{"uploadType", type}, {"name", object.name}, {"fields", std::string(kResourceFields)}}};
  call.about = About::bucket;
  call.dead_connection = dead_connection(object.condition);
  if (object.condition.kind == Condition::Kind::if_absent) call.query.emplace_back("ifGenerationMatch", "0");
  if (object.condition.kind == Condition::Kind::if_version) {
    call.query.emplace_back("ifGenerationMatch", object.condition.version.text);
  }
  return call;
}

// The parts of a multipart message around the content: first what it is, then its bytes.
http::Framed framed(const std::string& document, const http::Content& content, const std::string& boundary) {
  http::Framed message;
  message.before = fmt::format("--{0}\r\nContent-Type: {1}\r\n\r\n{2}\r\n--{0}\r\nContent-Type: {3}\r\n\r\n", boundary,
                               kJson, document, kBinary);
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&content)) message.content = *bytes;
  if (const auto* range = std::get_if<http::FileRange>(&content)) message.content = *range;
  message.after = fmt::format("\r\n--{}--\r\n", boundary);
  return message;
}

Call whole_call(const Requests& requests, const NewObject& object, const Content& content) {
  const std::string boundary = "hearth-" + util::random_hex(16);
  Call call = upload_call(requests, object, "multipart");
  call.headers = {{"Content-Type", "multipart/related; boundary=" + boundary}, hash_header(content)};
  call.content = framed(object_document(content.crc32c, object.storage_class),
                        content_of(object.body, {0, content.size}), boundary);
  return call;
}

Result<Resource> upload_at_once(Requests& requests, const NewObject& object, const Content& content,
                                const std::stop_token& stop) {
  const http::Answer answer = TRY(requests.demand(whole_call(requests, object, content), "storing", stop));
  return parse_resource(answer.text());
}

// "bytes=0-262143": how many bytes the server has; none where it does not say.
std::uint64_t received(const http::Answer& answer) {
  constexpr std::string_view kFromTheStart = "bytes=0-";
  const std::string_view range = http::value_of(answer.headers, "Range");
  if (!range.starts_with(kFromTheStart)) return 0;
  const std::string last(range.substr(kFromTheStart.size()));
  if (last.empty() || last.size() > 18 || last.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stoull(last) + 1;
}

// One resumable upload, from its begin to its end.
class Session {
 public:
  Session(Requests& requests, const NewObject& object, const Content& content)
      : requests_(requests), object_(object), content_(content) {}

  Result<void> begin(const std::stop_token& stop) {
    const std::string document = object_document(content_.crc32c, object_.storage_class);
    Call call = upload_call(requests_, object_, "resumable");
    call.headers = {{"Content-Type", kJson},
                    {"X-Upload-Content-Type", kBinary},
                    {"X-Upload-Content-Length", std::to_string(content_.size)}};
    call.content = std::as_bytes(std::span(document));
    const http::Answer answer = TRY(requests_.demand(call, "beginning an upload", stop));
    url_ = TRY(requests_.session_url(answer));
    return {};
  }

  // Sends what the server does not have, as often as that brings it further, and up to the patience with a store where
  // it does not.
  Result<Resource> run(const std::stop_token& stop) {
    const RetryPolicy policy;
    const RetryClock clock = RetryClock::real();
    std::optional<Patience> patience;  // since the first fault after the last progress: one step may take hours
    std::uint64_t furthest = 0;
    bool asks = false;  // what the server has, after a fault
    while (true) {
      const Result<Step> step = asks ? ask(stop) : send(stop);
      if (step && step->resource) return *step->resource;
      if (!step && (lost_ || step.error().kind != ErrorKind::unavailable)) return std::unexpected(step.error());
      if (step && step->received > furthest) {
        furthest = step->received;
        patience.reset();
      } else if (!step || !asks) {
        const Error error =
            step ? Error{ErrorKind::unavailable, "the server takes no more of an upload"} : step.error();
        if (!patience) patience.emplace(policy, clock, Repeated::step);
        const bool again = TRY(patience->try_again(error, stop));
        if (!again) return std::unexpected(patience->final(error));
      }
      asks = !step;
      if (step) offset_ = step->received;
    }
  }

  // Whatever comes of it; the server forgets unfinished uploads after a week.
  void cancel() {
    if (lost_) return;
    const util::StopAfter limit({}, kCancelLimit);
    (void)requests_.send_to_session(url_, {.method = "DELETE", .url = {}, .headers = {{"Content-Length", "0"}}},
                                    limit.token());
  }

 private:
  struct Step {
    std::optional<Resource> resource;  // it is stored
    std::uint64_t received = 0;        // otherwise
  };

  Result<Step> put(const std::string& range, const http::Content& content, const std::stop_token& stop) {
    http::Request request{.method = "PUT", .url = {}, .headers = {{"Content-Range", range}}, .content = content};
    request.headers.push_back(hash_header(content_));
    request.dead_connection = http::DeadConnection::fail;  // asking comes first
    const http::Answer answer = TRY(requests_.send_to_session(url_, std::move(request), stop));
    if (answer.ok()) {
      Resource resource = TRY(parse_resource(answer.text()));
      return Step{.resource = std::move(resource)};
    }
    if (answer.status == kIncomplete) return Step{.resource = {}, .received = received(answer)};
    Error error = error_of(answer, "uploading", requests_.bucket());
    lost_ = answer.status == 404 || answer.status == 410;
    if (lost_) error = {ErrorKind::unavailable, std::move(error.message), error.retry_after, Retry::whole};
    return std::unexpected(std::move(error));
  }

  Result<Step> send(const std::stop_token& stop) {
    if (offset_ >= content_.size) return fail(ErrorKind::unavailable, "the server does not complete an upload");
    const std::string range = fmt::format("bytes {}-{}/{}", offset_, content_.size - 1, content_.size);
    return put(range, content_of(object_.body, {offset_, content_.size - offset_}), stop);
  }

  Result<Step> ask(const std::stop_token& stop) {
    return put(fmt::format("bytes */{}", content_.size), std::span<const std::byte>(), stop);
  }

  Requests& requests_;
  const NewObject& object_;
  const Content content_;
  std::string url_;
  std::uint64_t offset_ = 0;  // what the server has, as far as is known
  bool lost_ = false;         // the server knows nothing of this upload any more
};

Result<Resource> upload_resumably(Requests& requests, const NewObject& object, const Content& content,
                                  const std::stop_token& stop) {
  Session session(requests, object, content);
  TRY(session.begin(stop));
  Result<Resource> resource = session.run(stop);
  if (!resource) session.cancel();
  return resource;
}

}  // namespace

Result<Version> upload(Requests& requests, const NewObject& object, const std::stop_token& stop) {
  const Content content = TRY(examine(object.body, stop));
  if (content.size > kLargestObject) return fail(ErrorKind::invalid, "an object has at most 5 TiB");
  const Resource stored = TRY(content.size >= kResumableFrom ? upload_resumably(requests, object, content, stop)
                                                             : upload_at_once(requests, object, content, stop));
  if (stored.size == content.size && stored.crc32c.value_or(content.crc32c) == content.crc32c) {
    return Version{stored.generation};
  }
  const Call removal{.method = "DELETE",
                     .path = requests.object_path(object.name),
                     .query = {{"ifGenerationMatch", stored.generation}}};
  (void)requests.send(removal, stop);
  return fail(ErrorKind::unavailable, "the server stored other bytes than were sent");
}

Result<Checksums> upload_damaged(Requests& requests, const std::string& name, const std::string& storage_class,
                                 const std::stop_token& stop) {
  const Body sent = damaged_bytes();
  const Condition none = Condition::none();
  const NewObject object{.name = name, .storage_class = storage_class, .body = sent, .condition = none};
  util::Crc32c crc;
  crc.update(intact_bytes());
  const Content content{.size = damaged_bytes().size(), .crc32c = crc.value()};
  const http::Answer answer = TRY(requests.demand(whole_call(requests, object, content), "storing", stop, kBadRequest));
  if (answer.ok()) return Checksums::ignored;
  if (is_damage(answer.status, parse_error(answer.text()))) return Checksums::honoured;
  return std::unexpected(error_of(answer, "storing", requests.bucket()));
}

}  // namespace hearth::store::gcs
