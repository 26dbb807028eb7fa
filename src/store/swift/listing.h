// Names of a container, page by page; and their removal.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "store/swift/documents.h"
#include "store/swift/requests.h"
#include "util/error.h"

namespace hearth::store::swift {

// Visits all objects whose names begin so, in bytewise order; `now` is the server's clock. A page that is shorter than
// it could be is not the last one (a container that is sharded has such): only an empty one is. An error of `visit`
// ends it and is returned.
Result<void> for_each_named(Requests& requests, const std::string& begin,
                            const std::function<Result<void>(const ListedObject& object, StoreTime now)>& visit,
                            const std::stop_token& stop);

// Deletes these names of the container, as many in one request as the server takes; absent ones are success.
Result<void> remove_names(Requests& requests, std::span<const std::string> names, const std::stop_token& stop);

}  // namespace hearth::store::swift
