// ObjectStore::get by GET requests with a Range (RFC 9110 section 14), for all stores that are spoken to over HTTP.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "http/client.h"
#include "store/object_store.h"

namespace hearth::store {

// What a store adds: how it asks, and how it reads what an answer says of the object.
struct RangedVerbs {
  // GET; with this Range where there is one, and with this answer_limit. The answer is 2xx or 416; any other is the
  // error that it stands for.
  std::function<Result<http::Answer>(const std::optional<std::string>& range, std::uint64_t answer_limit)> ask;
  // Of an answer: version, times; its size is replaced.
  std::function<Result<ObjectInfo>(const http::Answer& answer)> info;
  std::function<Result<ObjectInfo>()> stat;
};

// The bytes of the range; never a suffix range, since some servers fail at it. A server that answers with the whole
// object, with another range, or with fewer bytes than it says is unavailable: that says nothing of the object.
Result<Object> get_ranged(ByteRange range, const RangedVerbs& verbs);

// What get and put send of a body.
http::Content content_of(const Body& body, ByteRange part);

// A put with a condition is not sent again where nobody sees it: the second one would find what the first one has
// stored, and be refused. Whoever tries it again knows that it may have happened.
http::DeadConnection dead_connection(const Condition& condition);

}  // namespace hearth::store
