#include "cache/operator/verify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"
#include "cache/packs/pack_search.h"

namespace hearth::cache {

namespace {

constexpr const char* kHeadName = "HEAD";

class Verifier {
 public:
  Verifier(store::ObjectStore& store, const Layout& layout, unsigned threads, const std::stop_token& stop,
           util::Progress* progress)
      : store_(store), layout_(layout), threads_(threads), stop_(stop), progress_(progress) {}

  VerifyReport run() {
    const Result<void> looked = look();
    if (looked) {
      report_.outcome =
          damaged_.empty() && report_.damaged_generations.empty() ? VerifyOutcome::sound : VerifyOutcome::damaged;
      if (absent_) report_.outcome = VerifyOutcome::absent;
      for (const auto& [object, problem] : damaged_) report_.damaged_objects.push_back({object, problem});
    } else {
      report_.error = looked.error();
    }
    return std::move(report_);
  }

 private:
  Result<void> look() {
    const HeadRead read = TRY(read_head(store_, layout_, stop_));
    absent_ = read.state == HeadState::absent;
    if (absent_) return {};
    ++report_.objects;
    if (read.state != HeadState::readable) {
      damaged_.emplace(kHeadName, read.problem);
      return {};
    }
    head_ = read.seen.head;
    std::vector<Generation> all = head_.generations;
    all.insert(all.end(), head_.aside.begin(), head_.aside.end());
    tell_hopeless();
    std::erase_if(all, [this](const Generation& generation) { return names_bad(head_, generation); });
    PackSearch search(store_, layout_, head_.epoch, threads_, stop_, progress_);
    const Result<void> looked = look_at(all, search);
    report_.read_bytes += search.read_bytes();
    TRY(looked);
    damaged_.insert(search.damaged().begin(), search.damaged().end());
    report_.objects += search.packs() + manifests_.size();
    return damaged_.empty() ? Result<void>() : forget_what_is_gone();
  }

  // Bad generations beside a good one are past; without one, nothing can be restored.
  void tell_hopeless() {
    const auto is_hopeless = [this](const Generation& generation) { return names_bad(head_, generation); };
    if (!std::ranges::all_of(head_.generations, is_hopeless)) return;
    const std::set<ObjectName> bad(head_.bad.begin(), head_.bad.end());
    for (const Generation& generation : head_.generations) {
      report_.damaged_generations.push_back({generation.id, true, {}});
      for (const ObjectName& object : objects_of(head_, generation)) {
        if (!bad.contains(object)) continue;
        if (damaged_.emplace(object.text(), "it was found to be gone or damaged before").second) ++report_.objects;
      }
    }
  }

  Result<void> look_at(const std::vector<Generation>& generations, PackSearch& search) {
    TRY(search.look_at_packs(generations));
    for (const Generation& generation : generations) TRY(look_at(generation, search));
    return {};
  }

  Result<void> look_at(const Generation& generation, PackSearch& search) {
    ++report_.generations;
    for (const ManifestName& manifest : generation.manifests) manifests_.insert(manifest.save);
    const std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout_, head_, generation, stop_);
    if (!loaded && !loaded.error().damaged) return std::unexpected(loaded.error().error);
    if (!loaded) {
      search.tell_packs(generation);
      damaged_.emplace(loaded.error().damaged->text(), loaded.error().error.message);
      report_.damaged_generations.push_back({generation.id, true, {}});
      return {};
    }
    report_.read_bytes += loaded->fetched_bytes;
    const std::vector<bool> bad = TRY(search.bad_blocks(loaded->manifest, generation));
    std::vector<std::string> files = files_of(loaded->manifest, bad);
    if (!files.empty()) report_.damaged_generations.push_back({generation.id, false, std::move(files)});
    return {};
  }

  static std::vector<std::string> files_of(const Manifest& manifest, const std::vector<bool>& bad) {
    std::vector<std::string> files;
    for (std::size_t index = 0; index < manifest.entries.size(); ++index) {
      const Entry entry = manifest.entries[index];
      const auto is_bad = [&](const Extent& extent) { return extent.block != kHole && bad[extent.block]; };
      if (std::ranges::any_of(entry.extents, is_bad)) files.push_back(entry.path.text());
    }
    return files;
  }

  // What was collected, purged or healed while this was reading is no damage.
  Result<void> forget_what_is_gone() {
    const HeadRead now = TRY(read_head(store_, layout_, stop_));
    std::map<std::string, std::string> still;
    std::vector<DamagedGeneration> generations;
    if (now.state == HeadState::readable) {
      std::vector<Generation> all = now.seen.head.generations;
      all.insert(all.end(), now.seen.head.aside.begin(), now.seen.head.aside.end());
      for (const Generation& generation : all) {
        for (const ObjectName& object : objects_of(now.seen.head, generation)) {
          if (const auto found = damaged_.find(object.text()); found != damaged_.end()) still.insert(*found);
        }
        const auto same = std::ranges::find(report_.damaged_generations, generation.id, &DamagedGeneration::id);
        if (same != report_.damaged_generations.end()) generations.push_back(std::move(*same));
      }
    }
    damaged_ = std::move(still);
    report_.damaged_generations = std::move(generations);
    return {};
  }

  store::ObjectStore& store_;
  const Layout& layout_;
  const unsigned threads_;
  const std::stop_token& stop_;
  util::Progress* const progress_;
  bool absent_ = false;
  Head head_;
  std::set<std::string> manifests_;             // the saves that wrote them
  std::map<std::string, std::string> damaged_;  // problems by object
  VerifyReport report_;
};

}  // namespace

std::string_view name(VerifyOutcome outcome) {
  switch (outcome) {
    case VerifyOutcome::sound:
      return "sound";
    case VerifyOutcome::damaged:
      return "damaged";
    case VerifyOutcome::absent:
      return "absent";
    case VerifyOutcome::unavailable:
      return "unavailable";
  }
  return "unavailable";
}

VerifyReport verify(store::ObjectStore& store, const Name& name, unsigned threads, const std::stop_token& stop,
                    util::Progress* progress) {
  const Result<Layout> layout = Layout::of(name);
  if (layout) return Verifier(store, *layout, threads, stop, progress).run();
  VerifyReport report;
  report.error = layout.error();
  return report;
}

}  // namespace hearth::cache
