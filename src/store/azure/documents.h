// The XML that Azure Blob Storage speaks. What cannot be read is unavailable: it is no proper answer, and an object is
// never concluded from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"
#include "util/error.h"

namespace hearth::store::azure {

// The Code of an error document; "" where the text is none.
std::string parse_error_code(std::string_view text);

struct ListedBlob {
  std::string name;  // with the store's prefix
  std::uint64_t size = 0;
  std::string etag;  // without quotes
  StoreTime modified;
};

struct ListPage {
  std::vector<ListedBlob> blobs;  // may be none although there are more
  std::string next;               // the marker of the next page; empty after the last one
};

// Of List Blobs. Directories of an account with a hierarchical namespace are left out.
Result<ListPage> parse_list(std::string_view text);

// Of Put Block List: of each name the block that was uploaded last, be it part of the blob by now.
std::string block_list_document(std::span<const std::string> ids);

}  // namespace hearth::store::azure
