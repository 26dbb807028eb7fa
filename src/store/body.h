// The two forms of what put stores, read alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "store/object_store.h"
#include "util/mac.h"

namespace hearth::store {

// In bytes. A file that cannot be examined is io.
Result<std::uint64_t> body_size(const Body& body);

// Hands over the whole body in order, in pieces of at most 1 MiB that live until `use` returns. An error of `use` ends
// it and is returned; so does the token (cancelled). A file that grows or shrinks meanwhile is invalid.
Result<void> for_each_piece(const Body& body, const std::function<Result<void>(std::span<const std::byte>)>& use,
                            const std::stop_token& stop);

// The same for a part of it that lies within the size that it had; a file that is shorter by now is invalid.
Result<void> for_each_piece(const Body& body, ByteRange part,
                            const std::function<Result<void>(std::span<const std::byte>)>& use,
                            const std::stop_token& stop);

// The MD5 of a part, by which servers refuse what was damaged on its way.
Result<util::Md5::Value> md5_of_part(const Body& body, ByteRange part, const std::stop_token& stop);

}  // namespace hearth::store
