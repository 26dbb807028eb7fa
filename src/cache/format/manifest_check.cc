// The rules that a manifest keeps, whoever made it.
#include <algorithm>
#include <numeric>

#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/format/pack.h"

namespace hearth::cache {

namespace {

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Result<void> check_packs(const Manifest& manifest) {
  std::vector<std::size_t> order(manifest.packs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) -> const PackName& { return manifest.packs[i]; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const PackName& pack = manifest.packs[order[i]];
    if (!is_id(pack.save) || pack.bytes > kPackLimit) return fail(ErrorKind::corrupt, "an impossible pack");
    if (i > 0 && pack.save == manifest.packs[order[i - 1]].save && pack.number == manifest.packs[order[i - 1]].number) {
      return fail(ErrorKind::corrupt, "pack {}-{} twice", pack.save, pack.number);
    }
  }
  std::vector<bool> used(manifest.packs.size());
  for (const Block& block : manifest.blocks) {
    if (block.pack < used.size()) used[block.pack] = true;
  }
  if (std::ranges::find(used, false) != used.end()) return fail(ErrorKind::corrupt, "a pack that no block lies in");
  return {};
}

Result<void> check_block(const Manifest& manifest, std::size_t index) {
  const Block& block = manifest.blocks[index];
  const bool in_pack = !manifest.packs.empty();
  if (in_pack != (block.pack < manifest.packs.size()) || (!in_pack && block.pack != kInline)) {
    return fail(ErrorKind::corrupt, "block {} lies in no pack of the manifest", index);
  }
  const bool sizes =
      block.encoding == Encoding::stored ? block.stored_bytes == block.raw_bytes : block.stored_bytes < block.raw_bytes;
  if (block.encoding > Encoding::zstd || block.stored_bytes == 0 || block.raw_bytes > kBlockLimit || !sizes) {
    return fail(ErrorKind::corrupt, "block {} has impossible sizes", index);
  }
  const std::uint64_t end = in_pack ? manifest.packs[block.pack].bytes : manifest.inline_bytes.size();
  if (block.offset > end || block.stored_bytes > end - block.offset) {
    return fail(ErrorKind::corrupt, "block {} lies outside of its pack", index);
  }
  return {};
}

Result<void> check_blocks(const Manifest& manifest) {
  if (manifest.inline_bytes.size() > kInlineLimit || (!manifest.packs.empty() && !manifest.inline_bytes.empty())) {
    return fail(ErrorKind::corrupt, "inline content beside packs, or too much of it");
  }
  for (std::size_t i = 0; i < manifest.blocks.size(); ++i) TRY(check_block(manifest, i));
  std::vector<std::size_t> order(manifest.blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto place = [&](std::size_t i) { return std::pair(manifest.blocks[i].pack, manifest.blocks[i].offset); };
  std::ranges::sort(order, {}, place);
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Block& before = manifest.blocks[order[i - 1]];
    const Block& block = manifest.blocks[order[i]];
    if (before.pack == block.pack && before.offset + before.stored_bytes > block.offset) {
      return fail(ErrorKind::corrupt, "blocks {} and {} overlap", order[i - 1], order[i]);
    }
  }
  return {};
}

bool extents_fit(const Manifest& manifest, const Entry& entry) {
  std::uint64_t rest = entry.size;
  for (const Extent& extent : entry.extents) {
    if (extent.length == 0 || extent.length > rest) return false;
    rest -= extent.length;
    if (extent.block == kHole) {
      if (extent.offset != 0) return false;
      continue;
    }
    if (extent.block >= manifest.blocks.size()) return false;
    const std::uint32_t raw = manifest.blocks[extent.block].raw_bytes;
    if (extent.offset > raw || extent.length > raw - extent.offset) return false;
  }
  return rest == 0 && entry.size <= INT64_MAX;
}

Result<void> check_kind(const Manifest& manifest, const Entry& entry) {
  const bool is_file = entry.kind == EntryKind::file;
  const bool has_mode = is_file || entry.kind == EntryKind::directory;
  const bool has_target = entry.kind == EntryKind::symlink || entry.kind == EntryKind::hard_link;
  if (entry.kind > EntryKind::hard_link || (entry.mode & ~(has_mode ? kModeMask : 0)) != 0 ||
      entry.target.empty() == has_target || (entry.kind == EntryKind::hard_link && entry.mtime != 0)) {
    return fail(ErrorKind::corrupt, "the entry \"{}\" is impossible", entry.path);
  }
  if (has_target && (entry.target.size() > kPathLimit || entry.target.find('\0') != std::string_view::npos)) {
    return fail(ErrorKind::corrupt, "the target of \"{}\" is impossible", entry.path);
  }
  if (!is_file && (entry.size != 0 || !entry.extents.empty())) {
    return fail(ErrorKind::corrupt, "\"{}\" has content and is no file", entry.path);
  }
  if (!extents_fit(manifest, entry)) {
    return fail(ErrorKind::corrupt, "the content of \"{}\" does not fit its size or its blocks", entry.path);
  }
  if (entry.kind == EntryKind::hard_link) {
    const auto target = manifest.entries.find(entry.target);
    if (Path(entry.target) >= entry.path || !target || manifest.entries[*target].kind != EntryKind::file) {
      return fail(ErrorKind::corrupt, "\"{}\" is a hard link to no file before it", entry.path);
    }
  }
  return {};
}

Result<void> check_entries(const Manifest& manifest) {
  const Entries& entries = manifest.entries;
  Path before;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Path path = entries[i].path;
    // Its directory is an entry that was checked before, so the name is all that is left to check.
    if (!is_name(path.name()) || path.size() > kPathLimit) {
      return fail(ErrorKind::corrupt, "entry {} has an impossible path", i);
    }
    if (path <= before) return fail(ErrorKind::corrupt, "\"{}\" stands behind \"{}\"", path, before);
    if (!entries.has_parent(i)) {
      return fail(ErrorKind::corrupt, "\"{}\" lies in no directory of the manifest", path);
    }
    before = path;
  }
  // Only now, in sorted entries, find() can be relied on.
  for (std::size_t i = 0; i < entries.size(); ++i) TRY(check_kind(manifest, entries[i]));
  return {};
}

}  // namespace

Result<void> check(const Manifest& manifest) {
  if ((manifest.root_mode & ~kModeMask) != 0) return fail(ErrorKind::corrupt, "an impossible mode of the directory");
  if (!has_room(manifest)) return fail(ErrorKind::corrupt, "more entries than a manifest may have");
  TRY(check_packs(manifest));
  TRY(check_blocks(manifest));
  return check_entries(manifest);
}

}  // namespace hearth::cache
