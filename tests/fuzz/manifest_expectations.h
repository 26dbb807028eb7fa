// What holds of every manifest that was decoded.
#pragma once

#include "cache/format/manifest.h"

namespace hearth::fuzz {

// What the deltas of the targets are made on.
const cache::Manifest& delta_base();
const util::Digest& delta_base_digest();

// It passes check(), comes back from its own encoding, and as a delta; its entries are found.
void expect_comes_back(const cache::Manifest& manifest);

}  // namespace hearth::fuzz
