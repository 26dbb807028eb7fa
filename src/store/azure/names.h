// Names of blobs that stand for keys.
#pragma once

#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::store::azure {

// Azure takes no bytes that are not UTF-8, makes '/' of '\', and drops a '.' at the end of a segment ("Naming and
// Referencing Containers, Blobs, and Metadata"), so that two keys could become one blob. Here they cannot: names are
// printable ASCII without '\', no segment of them ends in '.', and they sort bytewise as their keys do. What keys
// mostly have, A-Z a-z 0-9 - _ / and a '.' within a segment, stands for itself.
std::string blob_name(std::string_view key);

// Undoes it; a name that stands for no key is invalid.
Result<std::string> key_of_blob(std::string_view name);

}  // namespace hearth::store::azure
