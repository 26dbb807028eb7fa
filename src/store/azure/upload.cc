#include "store/azure/upload.h"

#include <algorithm>

#include "store/answers.h"
#include "store/azure/documents.h"
#include "store/azure/errors.h"
#include "store/body.h"
#include "store/damage.h"
#include "store/parts.h"
#include "store/patience.h"
#include "store/ranged.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr int kNotFound = 404;
constexpr const char* kPuttingTogether = "putting the blocks together";

Result<std::string> md5_of(const Body& body, ByteRange part, const std::stop_token& stop) {
  const util::Md5::Value md5 = TRY(md5_of_part(body, part, stop));
  return util::to_base64(md5);
}

// What creates a blob, be it of content or of blocks.
http::Headers creation_headers(const AzureOptions& options, const Condition& condition) {
  http::Headers headers = {{"x-ms-blob-content-type", "application/octet-stream"}};
  if (!options.access_tier.empty()) headers.push_back({"x-ms-access-tier", options.access_tier});
  if (condition.kind == Condition::Kind::if_absent) headers.push_back({"If-None-Match", "*"});
  if (condition.kind == Condition::Kind::if_version) {
    headers.push_back({"If-Match", fmt::format("\"{}\"", condition.version.text)});
  }
  return headers;
}

// The answer to what creates a blob. A blob that is not there does not have the version that a condition asks for.
Result<Version> created(const http::Answer& answer, const AzureOptions& options, const Condition& condition,
                        std::string_view operation) {
  if (answer.ok()) return version_of(answer);
  Error error = error_of(answer, operation, options.container);
  const bool by_version = condition.kind == Condition::Kind::if_version;
  if (by_version && answer.status == kNotFound && error.kind == ErrorKind::not_found) error.kind = ErrorKind::conflict;
  return std::unexpected(std::move(error));
}

Call whole_call(const AzureOptions& options, const std::string& blob, const http::Content& content,
                const std::string& md5, const Condition& condition) {
  Call call{.method = "PUT",
            .blob = blob,
            .query = {},
            .headers = creation_headers(options, condition),
            .content = content,
            .dead_connection = dead_connection(condition)};
  call.headers.push_back({"x-ms-blob-type", "BlockBlob"});
  call.headers.push_back({"Content-MD5", md5});
  return call;
}

Result<Version> upload_whole(Requests& requests, const AzureOptions& options, const std::string& blob, const Body& body,
                             std::uint64_t size, const Condition& condition, const std::stop_token& stop) {
  const std::string md5 = TRY(md5_of(body, {0, size}, stop));
  const Call call = whole_call(options, blob, content_of(body, {0, size}), md5, condition);
  const http::Answer answer = TRY(within("PUT", requests.send(call, stop)));
  return created(answer, options, condition, "PUT");
}

// Names of blocks, of one length for all writers, as the server wants it; none of another writer's.
std::vector<std::string> block_ids(std::size_t count) {
  const std::string upload = util::random_hex(8);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string id = fmt::format("{}{:08}", upload, i);
    ids.push_back(util::to_base64(std::as_bytes(std::span(id))));
  }
  return ids;
}

Result<Version> upload_in_blocks(Requests& requests, const AzureOptions& options, const std::string& blob,
                                 const Body& body, std::uint64_t size, const Condition& condition,
                                 const std::stop_token& stop) {
  const std::uint64_t step = block_size(size);
  if (step > kLargestBlock) return fail(ErrorKind::invalid, "a blob has at most 50,000 blocks of 4,000 MiB");
  const std::vector<std::string> ids = block_ids(static_cast<std::size_t>((size + step - 1) / step));
  const SendPart one = [&](std::size_t index, ByteRange part, const std::stop_token& stop_one) -> Result<void> {
    const std::string md5 = TRY(md5_of(body, part, stop_one));
    const Call call{.method = "PUT",
                    .blob = blob,
                    .query = {{"comp", "block"}, {"blockid", ids[index]}},
                    .headers = {{"Content-MD5", md5}},
                    .content = content_of(body, part)};
    TRY(requests.demand(call, fmt::format("storing block {}", index + 1), stop_one));
    return {};
  };
  TRY(send_parts(size, step, options.transfers, one, stop));
  const std::string document = block_list_document(ids);
  const Body list = std::as_bytes(std::span(document));
  Call call{.method = "PUT",
            .blob = blob,
            .query = {{"comp", "blocklist"}},
            .headers = creation_headers(options, condition),
            .content = content_of(list, {0, document.size()}),
            .answering = http::Answering::late,
            .dead_connection = dead_connection(condition)};
  const std::string md5 = TRY(md5_of(list, {0, document.size()}, stop));
  call.headers.push_back({"Content-Type", "application/xml"});
  call.headers.push_back({"Content-MD5", md5});
  const auto put_together = [&]() -> Result<Version> {
    const http::Answer answer = TRY(within(kPuttingTogether, requests.send(call, stop)));
    return created(answer, options, condition, kPuttingTogether);
  };
  // A condition that the first of two had made false would be a conflict: whoever looks into that tries again.
  if (condition.kind != Condition::Kind::none) return put_together();
  const RetryPolicy policy;
  const RetryClock clock = RetryClock::real();
  return repeat(Patience(policy, clock, Repeated::step), stop, put_together);
}

}  // namespace

std::uint64_t block_size(std::uint64_t size) {
  constexpr std::uint64_t kSmallest = 8 * kMiB;
  const std::uint64_t needed = size / kMostBlocks + (size % kMostBlocks == 0 ? 0 : 1);
  return std::max(kSmallest, (needed + kMiB - 1) / kMiB * kMiB);
}

Result<Version> upload(Requests& requests, const AzureOptions& options, const std::string& blob, const Body& body,
                       const Condition& condition, const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  return size < kBlocksFrom ? upload_whole(requests, options, blob, body, size, condition, stop)
                            : upload_in_blocks(requests, options, blob, body, size, condition, stop);
}

Result<Checksums> upload_damaged(Requests& requests, const AzureOptions& options, const std::string& blob,
                                 const std::stop_token& stop) {
  const std::string md5 = TRY(md5_of(intact_bytes(), {0, intact_bytes().size()}, stop));
  const Call call = whole_call(options, blob, damaged_bytes(), md5, Condition::none());
  const http::Answer answer = TRY(within("PUT", requests.send(call, stop)));
  if (answer.ok()) return Checksums::ignored;
  if (is_damage(code_of(answer))) return Checksums::honoured;
  return std::unexpected(error_of(answer, "PUT", options.container));
}

}  // namespace hearth::store::azure
