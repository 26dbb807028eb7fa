#include "store/ranged.h"

namespace hearth::store {
namespace {

constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;

// "bytes=0-9", both inclusive; absent if everything is wanted.
std::optional<std::string> range_header(ByteRange range) {
  if (range.offset == 0 && range.length == UINT64_MAX) return std::nullopt;
  if (range.length > UINT64_MAX - range.offset) return fmt::format("bytes={}-", range.offset);
  return fmt::format("bytes={}-{}", range.offset, range.offset + range.length - 1);
}

// For ranges without bytes: the servers have no answer to them that says what the object is.
Result<Object> get_nothing(ByteRange range, const RangedVerbs& verbs) {
  ObjectInfo info = TRY(verbs.stat());
  const ByteRange clipped = TRY(clip(range, info.size));
  if (clipped.length > 0) return fail(ErrorKind::unavailable, "the object was replaced while it was read");
  return Object{std::move(info), {}};
}

}  // namespace

Result<Object> get_ranged(ByteRange range, const RangedVerbs& verbs) {
  if (range.length == 0) return get_nothing(range, verbs);
  const std::optional<std::string> wanted = range_header(range);
  http::Answer answer = TRY(verbs.ask(wanted, range.length));
  if (answer.status == kRangeNotSatisfiable) return get_nothing(range, verbs);
  ObjectInfo info = TRY(verbs.info(answer));
  info.size = answer.body.size();
  if (wanted && answer.status == kPartialContent) {
    const auto sent = http::content_range(answer.headers);
    if (!sent || sent->first != range.offset) return fail(ErrorKind::unavailable, "the server sent another range");
    info.size = sent->size;
  } else if (wanted && range.offset > 0) {
    return fail(ErrorKind::unavailable, "the server does not honour ranges");
  }
  const ByteRange clipped = TRY(clip(range, info.size));
  if (clipped.length != answer.body.size()) {
    return fail(ErrorKind::unavailable, "{} bytes came instead of {}", answer.body.size(), clipped.length);
  }
  return Object{std::move(info), std::move(answer.body)};
}

http::Content content_of(const Body& body, ByteRange part) {
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&body)) {
    return bytes->subspan(static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.length));
  }
  return http::FileRange{std::get<const util::Fd*>(body), part.offset, part.length};
}

http::DeadConnection dead_connection(const Condition& condition) {
  return condition.kind == Condition::Kind::none ? http::DeadConnection::send_again : http::DeadConnection::fail;
}

}  // namespace hearth::store
