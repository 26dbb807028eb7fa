// Made-up caches for tests of the formats and of the protocol.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/head.h"
#include "cache/format/manifest.h"
#include "cache/format/pack.h"
#include "cache/generations/transition.h"

namespace hearth::cache::sample {

inline const Name kName{.app = "demo", .stack = "heroku-24", .arch = "amd64"};

// The id of 16 times the digit.
std::string id(char digit);

// Bytes that look random, the same ones for each seed.
std::vector<std::byte> noise(std::size_t size, unsigned seed);

// One entry of each kind, extents of each kind, two packs of two saves.
Manifest manifest();
// The same a day later: an entry went, one came, one changed, one block and one pack went and another came.
Manifest changed_manifest();
// Content inside the manifest.
Manifest inline_manifest();

// A pack of two blocks, one compressed and one as it is, with the chunks that lie in them.
std::vector<std::byte> pack();

// A generation of its own manifest and one pack of `bytes` bytes.
Generation generation(char digit, std::uint64_t bytes = 1000);
// One that is a delta on `base` and takes over its packs.
Generation delta_on(const Generation& base, char digit);

// Every member that the first programs wrote has something in it.
Head head();

// A HEAD without any generation, its epoch being id('e').
Head empty_head();

Proposal proposal(const Generation& generation, const std::string& base = "");

}  // namespace hearth::cache::sample
