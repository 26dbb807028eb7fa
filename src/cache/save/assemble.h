// Puts together what a save found, what it took over and what it stored: the new manifest, and how it differs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/format/manifest.h"
#include "cache/packs/pack_writer.h"
#include "cache/save/content_writer.h"
#include "cache/tree/save_plan.h"
#include "cache/tree/tree.h"

namespace hearth::cache {

// Everything that a save knows once all content has been read.
struct SaveState {
  FileStatus root;
  const Listing& found;
  const SavePlan& plan;
  const Base& base;
  std::span<const std::uint32_t> content;  // by found entry: index into `contents`, or kNone
  const Contents& contents;
};

// What the entries of the new manifest take in memory at least; content that is cut into many chunks takes more. Known
// before any content was read.
std::uint64_t least_manifest_memory(const Listing& found, const SavePlan& plan);

struct Changes {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;

  bool any() const { return added + changed + removed > 0; }
};

// Against the base, without what had to be left out.
Changes compare(const SaveState& state);

// Whether any content stays in a pack of the base.
bool uses_base_packs(const SaveState& state);

// Names only those blocks and packs that some file needs; those of the base come first, in their order.
Manifest assemble(const SaveState& state, const WrittenBlocks& written);

// Index::files of that manifest.
std::vector<FileStatus> file_statuses(const SaveState& state);

}  // namespace hearth::cache
