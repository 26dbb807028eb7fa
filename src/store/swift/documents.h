// The JSON that Swift and OpenStack's identity service speak. What cannot be read is unavailable: it is no proper
// answer, and neither an object nor the absence of one is ever concluded from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"
#include "store/swift/options.h"
#include "util/error.h"

namespace hearth::store::swift {

// The content type of what stands for segments: how a listing tells it from an object that is what it seems.
inline constexpr std::string_view kManifestType = "application/x-hearth-segments";

struct ListedObject {
  std::string name;  // with the store's prefix
  std::uint64_t size = 0;
  std::string etag;  // without quotes
  StoreTime modified;
  // A manifest that is listed with its own size and MD5, instead of those of what it stands for (Ceph).
  bool is_bare_manifest = false;
};

// A page of a container's listing.
Result<std::vector<ListedObject>> parse_list(std::string_view text);

// What a server says of itself at /info; absent members are the defaults.
struct Capabilities {
  std::uint64_t largest_object = std::uint64_t{5} << 30;  // bytes in one PUT
  std::uint64_t most_segments = 1000;
  bool has_segments = true;
  std::size_t deletes_at_once = 0;  // 0: no bulk deletion
};
Result<Capabilities> parse_capabilities(std::string_view text);

struct Segment {
  std::string path;  // "/container/name"
  std::string etag;
  std::uint64_t size = 0;
};
std::string manifest_document(std::span<const Segment> segments);

// The answer to a bulk deletion: the first object that could not be deleted; an empty status if all were.
struct DeleteFailure {
  std::string name;    // as it was sent; may be empty
  std::string status;  // "403 Forbidden"
};
Result<DeleteFailure> parse_deleted(std::string_view text);

// Requests for a token. A v3 password without a project asks for the user's default project.
std::string login_document(const Login& login);

// What an identity service grants.
struct Grant {
  std::string token;                                // of v2; v3 has it in a header
  std::string storage_url;                          // of the account; without '/' at its end
  std::optional<std::chrono::sys_seconds> expires;  // by the service's clock
};
// Which of a catalog's endpoints.
struct Wanted {
  std::string region;       // "": any
  std::string interface;    // public, internal, admin
  std::string storage_url;  // taken instead of the catalog's, which then may be missing; "": none
};

// Answers of v2 and v3. The endpoint is the catalog's first object store of the region with the interface; if there is
// none, that is invalid, and the message lists the regions.
Result<Grant> parse_v2(std::string_view text, const Wanted& wanted);
Result<Grant> parse_v3(std::string_view text, const Wanted& wanted);

}  // namespace hearth::store::swift
