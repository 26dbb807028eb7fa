#include "cache/operator/diff.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "cache/packs/chunk_index.h"

namespace hearth::cache {

namespace {

bool is_file(const Entry& entry) {
  return entry.kind == EntryKind::file || entry.kind == EntryKind::hard_link;
}

// The same bytes at the same place: certainly the same content.
bool same_place(const Manifest& older, const Extent& before, const Manifest& newer, const Extent& after) {
  if (before.length != after.length) return false;
  if (before.block == kHole || after.block == kHole) return before.block == after.block;
  return before.offset == after.offset && same_stored(older.blocks[before.block], newer.blocks[after.block]);
}

// Content of one generation by its digests, where it was asked for.
class ContentDigests {
 public:
  explicit ContentDigests(const Manifest& manifest) : manifest_(manifest), wanted_(manifest.packs.size()) {}

  void want(const Entry& file) {
    asked_ = true;
    for (const Extent& extent : file.extents) {
      if (extent.block == kHole) continue;
      const std::uint32_t pack = manifest_.blocks[extent.block].pack;
      if (pack != kInline) wanted_[pack] = true;
    }
  }

  Result<void> load(store::ObjectStore& store, const Layout& layout, const std::string& epoch,
                    const std::stop_token& stop) {
    if (!asked_) return {};
    std::expected<ChunkIndex, ChunkIndex::Failure> loaded =
        ChunkIndex::load(store, layout, epoch, manifest_, wanted_, stop);
    if (!loaded) return std::unexpected(std::move(loaded).error().error);
    known_ = loaded->by_place();
    return {};
  }

  std::optional<util::Digest> digest(const Extent& extent) const {
    const auto found = std::ranges::lower_bound(known_, std::pair(extent.block, extent.offset), {},
                                                [](const auto& known) { return std::pair(known.block, known.offset); });
    // Several chunks never begin at one place; they may in a trailer that somebody made up.
    if (found == known_.end() || found->block != extent.block || found->offset != extent.offset ||
        found->length != extent.length) {
      return std::nullopt;
    }
    return found->digest;
  }

 private:
  const Manifest& manifest_;
  bool asked_ = false;
  std::vector<bool> wanted_;  // by pack
  std::vector<ChunkIndex::Known> known_;
};

class Comparison {
 public:
  Comparison(const OpenedGeneration& older, const OpenedGeneration& newer,
             const std::function<void(const Difference&)>& visit)
      : older_(older.manifest),
        newer_(newer.manifest),
        newer_id_(newer.generation.id),
        visit_(visit),
        contents_before_(older_),
        contents_after_(newer_) {}

  Result<Diff> run(store::ObjectStore& store, const Layout& layout, const std::string& epoch,
                   const std::stop_token& stop) {
    walk([this](const std::optional<Entry>& before, const std::optional<Entry>& after) { prepare(before, after); });
    for (ContentDigests* contents : {&contents_before_, &contents_after_}) {
      const Result<void> loaded = contents->load(store, layout, epoch, stop);
      if (loaded) continue;
      if (loaded.error().kind != ErrorKind::corrupt) return std::unexpected(loaded.error());
      diff_.warning = loaded.error().message;
    }
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the comparison was stopped");
    walk([this](const std::optional<Entry>& before, const std::optional<Entry>& after) { compare(before, after); });
    return std::move(diff_);
  }

 private:
  using Step = std::function<void(const std::optional<Entry>&, const std::optional<Entry>&)>;

  // Both lists are in the order of the paths.
  void walk(const Step& step) const {
    std::size_t before = 0;
    std::size_t after = 0;
    while (before < older_.entries.size() || after < newer_.entries.size()) {
      std::optional<Entry> left;
      std::optional<Entry> right;
      if (before < older_.entries.size()) left = older_.entries[before];
      if (after < newer_.entries.size()) right = newer_.entries[after];
      if (left && right && left->path != right->path) (left->path < right->path ? right : left).reset();
      if (left) ++before;
      if (right) ++after;
      step(left, right);
    }
  }

  // Finds out which contents need a closer look.
  void prepare(const std::optional<Entry>& before, const std::optional<Entry>& after) {
    if (!before || !after || !is_file(*before) || !is_file(*after)) return;
    const Entry old_file = resolved(older_, *before);
    const Entry new_file = resolved(newer_, *after);
    if (old_file.size != new_file.size || in_same_places(old_file, new_file)) return;
    contents_before_.want(old_file);
    contents_after_.want(new_file);
  }

  bool in_same_places(const Entry& before, const Entry& after) const {
    return std::ranges::equal(before.extents, after.extents, [this](const Extent& left, const Extent& right) {
      return same_place(older_, left, newer_, right);
    });
  }

  bool same_content(const Entry& before, const Entry& after) const {
    if (before.size != after.size) return false;
    return std::ranges::equal(before.extents, after.extents, [this](const Extent& left, const Extent& right) {
      if (same_place(older_, left, newer_, right)) return true;
      if (left.length != right.length || left.block == kHole || right.block == kHole) return false;
      const std::optional<util::Digest> digest = contents_before_.digest(left);
      return digest && digest == contents_after_.digest(right);
    });
  }

  void compare(const std::optional<Entry>& before, const std::optional<Entry>& after) {
    Difference difference;
    difference.path = after ? after->path : before->path;
    if (before) difference.before = before->size;
    if (after) difference.after = after->size;
    if (after && after->kind == EntryKind::file) difference.uploaded = stored_by_the_save(*after);
    const std::optional<Change> change = !before  ? std::optional(Change::added)
                                         : !after ? std::optional(Change::removed)
                                                  : change_of(*before, *after);
    diff_.upload.content_bytes += difference.uploaded;
    if (!change || *change > Change::content) diff_.upload.known_bytes += difference.uploaded;
    if (!change) {
      ++diff_.unchanged;
      return;
    }
    difference.change = *change;
    diff_.changes[static_cast<std::size_t>(*change)].add(difference);
    visit_(difference);
  }

  std::optional<Change> change_of(const Entry& before, const Entry& after) const {
    if (is_file(before) != is_file(after) || (!is_file(before) && before.kind != after.kind)) return Change::type;
    // Another name of the same file: what changed of that is told there.
    const bool both_names = before.kind == EntryKind::hard_link && after.kind == EntryKind::hard_link;
    if (both_names && before.target == after.target) return std::nullopt;
    const Entry old_file = resolved(older_, before);
    const Entry new_file = resolved(newer_, after);
    if (is_file(before) && !same_content(old_file, new_file)) return Change::content;
    if (before.kind != after.kind || before.target != after.target) return Change::target;
    if (old_file.mode != new_file.mode) return Change::mode;
    if (old_file.mtime != new_file.mtime) return Change::times;
    return std::nullopt;
  }

  // Content that several files share counts for the first of them.
  std::uint64_t stored_by_the_save(const Entry& file) {
    std::uint64_t bytes = 0;
    for (const Extent& extent : file.extents) {
      if (extent.block == kHole) continue;
      const std::uint32_t pack = newer_.blocks[extent.block].pack;
      if (pack != kInline && newer_.packs[pack].save != newer_id_) continue;
      if (counted_.insert(std::uint64_t{extent.block} << 32 | extent.offset).second) bytes += extent.length;
    }
    return bytes;
  }

  const Manifest& older_;
  const Manifest& newer_;
  const std::string& newer_id_;
  const std::function<void(const Difference&)>& visit_;
  ContentDigests contents_before_;
  ContentDigests contents_after_;
  std::unordered_set<std::uint64_t> counted_;  // block and offset
  Diff diff_;
};

}  // namespace

std::string_view name(Change change) {
  switch (change) {
    case Change::added:
      return "added";
    case Change::removed:
      return "removed";
    case Change::type:
      return "type";
    case Change::content:
      return "content";
    case Change::target:
      return "target";
    case Change::mode:
      return "mode";
    case Change::times:
      return "times";
  }
  return "times";
}

void ChangeSum::add(const Difference& difference) {
  ++entries;
  before += difference.before;
  after += difference.after;
  uploaded += difference.uploaded;
}

Result<Diff> diff(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& older,
                  const OpenedGeneration& newer, const std::function<void(const Difference&)>& visit,
                  const std::stop_token& stop) {
  Diff told = TRY(Comparison(older, newer, visit).run(store, layout, newer.epoch, stop));
  told.upload.manifest_bytes = newer.generation.manifests.front().bytes;
  for (const PackName& pack : newer.generation.packs) {
    if (pack.save != newer.generation.id) continue;
    ++told.upload.packs;
    told.upload.pack_bytes += pack.bytes;
  }
  return told;
}

void DirectorySums::add(const Difference& difference) {
  std::string_view directory = difference.path.directory();
  std::size_t end = 0;
  for (unsigned level = 0; level < depth_ && end < directory.size(); ++level) {
    end = std::min(directory.find('/', end + (level > 0 ? 1 : 0)), directory.size());
  }
  directory = directory.substr(0, end);
  auto found = directories_.find(directory);
  if (found == directories_.end()) {
    found = directories_
                .emplace(std::string(directory),
                         Directory{.path = std::string(directory), .added = {}, .removed = {}, .changed = {}})
                .first;
  }
  Directory& sums = found->second;
  if (difference.change == Change::added) {
    sums.added.add(difference);
  } else if (difference.change == Change::removed) {
    sums.removed.add(difference);
  } else {
    sums.changed.add(difference);
  }
}

std::vector<DirectorySums::Directory> DirectorySums::sorted() const {
  std::vector<Directory> sorted;
  for (const auto& [path, directory] : directories_) sorted.push_back(directory);
  std::ranges::stable_sort(sorted, std::ranges::greater(), &Directory::bytes);
  return sorted;
}

}  // namespace hearth::cache
