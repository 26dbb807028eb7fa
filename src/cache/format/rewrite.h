// A manifest made from another one: with fewer entries, or with content that lies elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cache/format/manifest.h"

namespace hearth::cache {

struct Rewriting {
  // By entry: whether it stays. What lies in a directory that goes has to go too.
  std::function<bool(std::size_t)> keeps;
  // Where content lies now: in a block of `blocks`. Not asked for holes.
  std::function<Extent(const Extent&)> place;
  std::vector<Block> blocks;            // what `place` speaks of
  std::vector<PackName> packs;          // what these blocks lie in
  std::vector<std::byte> inline_bytes;  // or these
};

// Everything stays as and where it is in `from`.
Rewriting unchanged(const Manifest& from);

// Blocks, packs and inline bytes that nothing needs any more are left out, the others keep their order. Of a file that
// goes, the first of its hard links that stay takes over the content. What comes out passes check() where `from` did.
Manifest rewrite(const Manifest& from, const Rewriting& rewriting);

}  // namespace hearth::cache
