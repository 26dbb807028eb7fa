// Makes the tree of a manifest, or what is missing of it, from the blocks in the store, on several threads.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/restore/update_plan.h"
#include "cache/tree/tree.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/progress.h"

namespace hearth::cache {

struct FillRequest {
  store::ObjectStore& store;
  const Layout& layout;
  ObjectName manifest_name;  // of the generation's own manifest: its epoch counts, and it is what damage is laid to
  const Manifest& manifest;
  std::filesystem::path root;  // an empty directory, or one whose way was cleared for `update`
  const UpdatePlan* update = nullptr;
  std::optional<uid_t> owner;
  unsigned threads = 0;
  util::Progress* progress = nullptr;  // of the blocks that are needed, as they are stored; may be null
};

struct Filled {
  std::vector<FileStatus> files;  // as Index::files has them
  std::uint64_t bytes = 0;        // of the files' contents, kept ones too
  std::uint64_t fetched_bytes = 0;
};

struct FillFailure {
  Error error;
  std::optional<ObjectName> damaged;  // what was missing (error: not_found) or not what it should be (corrupt)
  std::uint64_t fetched_bytes = 0;    // all the same
};

// Every block is verified before any byte of it is written; a damaged one is fetched once more. The root itself gets
// its owner, mode and time last. After a failure the root holds anything. Memory: some MiB for each thread.
std::expected<Filled, FillFailure> fill(const FillRequest& request, const std::stop_token& stop);

}  // namespace hearth::cache
