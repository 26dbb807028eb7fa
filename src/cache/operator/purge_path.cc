#include "cache/operator/purge_path.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "cache/format/rewrite.h"
#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"

namespace hearth::cache {

namespace {

struct Choice {
  std::vector<bool> goes;          // by entry
  std::vector<std::string> paths;  // the topmost ones
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

Choice choose(const Manifest& manifest, const Chosen& chosen) {
  Choice choice;
  choice.goes.resize(manifest.entries.size());
  std::unordered_set<std::string> directories;
  for (std::size_t index = 0; index < manifest.entries.size(); ++index) {
    const Entry entry = manifest.entries[index];
    const bool inside = directories.contains(std::string(entry.path.directory()));
    if (!inside && !chosen(entry)) continue;
    choice.goes[index] = true;
    ++choice.entries;
    choice.bytes += entry.size;
    if (entry.kind == EntryKind::directory) directories.insert(entry.path.text());
    if (!inside) choice.paths.push_back(entry.path.text());
  }
  return choice;
}

// What the HEAD that was seen makes necessary.
class PathPurge {
 public:
  PathPurge(store::ObjectStore& store, const Layout& layout, const Chosen& chosen, const std::stop_token& stop)
      : store_(store), layout_(layout), chosen_(chosen), stop_(stop) {}

  Result<void> look(const Head& head) {
    report_ = {};
    newest_.reset();
    bool found_newest = false;
    for (const Generation& generation : head.generations) {
      const bool newest = !found_newest && !names_bad(head, generation);
      const bool readable = TRY(look_at(head, generation, newest));
      found_newest = found_newest || (newest && readable);
    }
    for (const Generation& generation : head.aside) TRY(look_at(head, generation, false));
    return {};
  }

  bool any() const { return !report_.dropped.empty(); }
  PathPurgeReport take() { return std::move(report_); }

  // Stores the manifest of the new generation, where there is to be one.
  Result<Head> apply(const Seen& seen) {
    Fates fates;
    for (const DroppedGeneration& dropped : report_.dropped) fates.emplace(dropped.id, std::nullopt);
    if (newest_) {
      StoredManifest stored = TRY(store_rest(seen));
      report_.uploaded_bytes = stored.bytes;
      report_.generation = stored.generation.id;
      fates[newest_->generation.id] = std::move(stored.generation);
    }
    Head head = replaced(seen, fates, SavesUnderWay::are_dropped);
    const auto named = named_objects(head);
    for (const auto& [object, bytes] : named_objects(seen.head)) {
      if (named.contains(object)) continue;
      report_.trashed.add(bytes);
    }
    return head;
  }

 private:
  struct Newest {
    Generation generation;
    Manifest manifest;
    std::vector<bool> goes;  // by entry
  };

  // False: it cannot be read.
  Result<bool> look_at(const Head& head, const Generation& generation, bool newest) {
    const bool pinned = std::ranges::find(head.pins, generation.id) != head.pins.end();
    std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout_, head, generation, stop_);
    if (!loaded && !loaded.error().damaged) return std::unexpected(std::move(loaded).error().error);
    if (!loaded) {
      report_.dropped.push_back({generation.id, pinned, false, 0, 0});
      return false;
    }
    Choice choice = choose(loaded->manifest, chosen_);
    if (choice.entries == 0) return true;
    report_.dropped.push_back({generation.id, pinned, true, choice.entries, choice.bytes});
    if (newest) {
      report_.paths = std::move(choice.paths);
      newest_ = Newest{generation, std::move(loaded->manifest), std::move(choice.goes)};
    }
    return true;
  }

  // What is left of the newest generation, and as old as that.
  Result<StoredManifest> store_rest(const Seen& seen) {
    Rewriting rewriting = unchanged(newest_->manifest);
    rewriting.keeps = [this](std::size_t index) { return !newest_->goes[index]; };
    StoredManifest stored = TRY(store_manifest(store_, layout_, seen, new_id(), rewrite(newest_->manifest, rewriting),
                                               DeltaBase{newest_->generation, newest_->manifest}, stop_));
    stored.generation = in_place_of(newest_->generation, std::move(stored.generation));
    return stored;
  }

  store::ObjectStore& store_;
  const Layout& layout_;
  const Chosen& chosen_;
  const std::stop_token& stop_;
  PathPurgeReport report_;
  std::optional<Newest> newest_;  // that is to be replaced
};

}  // namespace

Result<PathPurgeReport> purge_path(store::ObjectStore& store, const Layout& layout, const Chosen& chosen,
                                   Rehearse rehearse, std::stop_token stop) {
  PathPurge purge(store, layout, chosen, stop);
  PathPurgeReport report;
  std::set<std::string> cuts;  // that this purge made
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    if (cuts.contains(seen.head.cut)) return std::nullopt;
    TRY(purge.look(seen.head));
    const bool any = purge.any();
    std::optional<Head> head;
    if (any && rehearse == Rehearse::no) head = TRY(purge.apply(seen));
    if (head) cuts.insert(head->cut);
    // What an earlier attempt did after all is what there is to tell.
    if (any || cuts.empty()) report = purge.take();
    return head;
  };
  TRY(within("purging a path", update_head(store, layout, transition, stop)));
  return report;
}

}  // namespace hearth::cache
