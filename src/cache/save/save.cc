// Save: the directory becomes the newest generation.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "cache/cache.h"
#include "cache/generations/collect.h"
#include "cache/generations/commit.h"
#include "cache/generations/compaction.h"
#include "cache/generations/manifest_store.h"
#include "cache/packs/chunk_index.h"
#include "cache/packs/fetch_plan.h"
#include "cache/packs/pack_writer.h"
#include "cache/save/assemble.h"
#include "cache/save/content_writer.h"
#include "cache/save/trim.h"
#include "cache/tree/beside.h"
#include "cache/tree/index.h"
#include "cache/tree/parallel.h"
#include "cache/tree/save_plan.h"

namespace hearth::cache {

namespace {

namespace fs = std::filesystem;

// What a save adds to a cache is mostly little, and lies in it for many saves: it is worth more time than the first
// one's content. By measurement, 6 % fewer bytes for a tenth of a second more (docs/performance.md).
constexpr std::uint64_t kLittle = 64 << 20;
constexpr int kLevelOfLittle = 6;

// How a step wants the save to end. Everything that is no success keeps the old cache in force.
struct SaveEnding {
  SaveOutcome outcome = SaveOutcome::failed;
  std::string warning;
};
using Step = std::optional<SaveEnding>;  // absent: go on

SaveEnding failure(const Error& error) {
  return {SaveOutcome::failed, error.message};
}

class Saver {
 public:
  Saver(store::ObjectStore& store, Layout layout, fs::path directory, fs::path index_path, const SaveOptions& options,
        std::stop_token stop)
      : store_(store),
        layout_(std::move(layout)),
        directory_(std::move(directory)),
        index_path_(std::move(index_path)),
        options_(options),
        stop_(std::move(stop)) {}

  SaveReport run() {
    const SaveEnding ending = steps();
    if (ending.outcome == SaveOutcome::unchanged) drop_failed();
    finish(ending);
    return std::move(report_);
  }

 private:
  SaveEnding steps() {
    const Result<void> begun = begin_walk();
    if (const Step end = choose_base()) return *end;
    if (!begun) return failure(begun.error());
    if (const Step end = look()) return *end;
    if (const Step end = open()) return *end;
    if (const Step end = take_in_content()) return *end;
    return publish();
  }

  // Lists the directory, which takes longest where nothing has changed, while the base is found out.
  Result<void> begin_walk() {
    Result<Directories> root = Directories::open(directory_);
    if (!root && root.error().kind == ErrorKind::not_found) return {};
    if (!root) return std::unexpected(std::move(root).error());
    struct stat status{};
    if (::fstat(root->root()->get(), &status) != 0) return fail_errno(errno, directory_.native());
    root_ = root->root();
    root_status_ = file_status(status);
    found_ahead_.emplace(stop_, [this](const std::stop_token& stop) {
      probe_ = take_probe(probe_path(directory_), root_status_.device);
      return walk(root_, core_count(options_.threads), options_.exclude, warnings_, stop);
    });
    return {};
  }

  // Reads HEAD, and the generation that this directory comes from.
  Step choose_base() {
    Result<HeadRead> head = read_head(store_, layout_, stop_);
    if (!head) return failure(head.error());
    if (head->state == HeadState::newer) return SaveEnding{SaveOutcome::failed, head->problem};
    head_ = std::move(*head);
    if (head_.state != HeadState::readable) head_.seen.head = Head();
    std::optional<Index> index = read_index(index_path_);
    if (index && (index->store != store_.description() || index->head != layout_.head().text())) index.reset();
    if (index && index->epoch == head_.seen.head.epoch) {
      damaged_.insert(index->damaged.begin(), index->damaged.end());
    }
    const bool restored = index && !index->generation.empty();
    // What was restored from a cache that somebody purged or rolled back must not come back.
    if (restored &&
        (index->epoch != head_.seen.head.epoch || find_base(head_.seen.head, index->generation) == nullptr)) {
      return SaveEnding{SaveOutcome::superseded, "the cache was purged or replaced since it was restored; not saved"};
    }
    if (restored) {
      restored_ = index->generation;
      generation_ = *find_base(head_.seen.head, index->generation);
    } else if (!head_.seen.head.generations.empty()) {
      generation_ = head_.seen.head.generations.front();
    }
    if (restored) use(std::move(*index));
    return base_.index ? std::nullopt : load_base();
  }

  // The index says what the base is without a word to the store.
  void use(Index index) {
    Result<Manifest> manifest = decode_manifest(index.manifest);
    if (!manifest || manifest->entries.size() != index.files.size()) return;
    base_.manifest = std::move(*manifest);
    index.manifest = {};
    base_.index = std::move(index);
  }

  // As the store has it.
  Step load_base() {
    base_.manifest = {};
    if (!generation_) return std::nullopt;
    std::expected<LoadedManifest, LoadFailure> loaded =
        load_manifest(store_, layout_, head_.seen.head, *generation_, stop_);
    if (loaded) {
      base_.manifest = std::move(loaded->manifest);
      return std::nullopt;
    }
    const std::optional<ObjectName>& damaged = loaded.error().damaged;
    if (!damaged) return failure(loaded.error().error);
    // Without it everything is stored anew.
    damaged_.insert(*damaged);
    warnings_.add(loaded.error().error.message);
    generation_.reset();
    base_.index.reset();
    return std::nullopt;
  }

  // Finds out whether there is anything to do.
  Step look() {
    if (found_ahead_) {
      Result<Listing> found = found_ahead_->take();
      if (!found) return failure(found.error());
      found_ = std::move(*found);
      if (options_.max_bytes > 0) keep_to_size();
      report_.left_out = found_.left_out();
    } else {
      root_status_.mode = S_IFDIR | base_.manifest.root_mode;
      root_status_.mtime = base_.manifest.root_mtime;
    }
    plan_ = plan_save(found_, base_);
    content_.assign(found_.size(), kNone);
    if (!plan_.differs && !plan_.reads && same_root() && !must_heal()) {
      return SaveEnding{SaveOutcome::unchanged, ""};
    }
    // Found out only in the end, it would be after all content was stored, each time.
    if (least_manifest_memory(found_, plan_) > kManifestLimit) {
      const Error error{ErrorKind::invalid,
                        fmt::format("the directory has {} entries, and their list alone would be larger than a cache's "
                                    "may be: leave some out with --cache-exclude",
                                    found_.size())};
      return failure(error);
    }
    // What this machine remembers of the base is what it has checked, or stored itself.
    if (!base_.index || damaged_.empty()) return std::nullopt;
    // What is stored from here on builds on what the store has.
    Step end = load_base();
    if (base_.index && base_.index->files.size() != base_.manifest.entries.size()) base_.index.reset();
    plan_ = plan_save(found_, base_);
    return end;
  }

  // Never fails: generations that cannot be had say nothing of how old anything is.
  void keep_to_size() {
    if (content_bytes(found_) <= options_.max_bytes) return;
    std::vector<Manifest> kept;
    for (const Generation& generation : head_.seen.head.generations) {
      if (kept.size() == kKeptGenerations || names_bad(head_.seen.head, generation)) continue;
      auto loaded = load_manifest(store_, layout_, head_.seen.head, generation, stop_);
      if (loaded) kept.push_back(std::move(loaded->manifest));
    }
    const std::int64_t since = base_.index ? base_.index->probe : kNothingProved;
    const Trim trim = choose_trim({found_, root_, since, kept, options_.max_bytes});
    report_.trimmed_files = trim.files;
    report_.trimmed_bytes = trim.bytes;
    found_.remove(trim.goes);
  }

  // An empty directory is the same as none, however it was made.
  bool same_root() const {
    if (found_.empty() && base_.manifest.entries.empty()) return true;
    return (root_status_.mode & kModeMask) == base_.manifest.root_mode &&
           root_status_.mtime == base_.manifest.root_mtime;
  }

  // A generation that cannot be restored in full is in force, or one is to come in force that is aside.
  bool must_heal() const {
    const Head& head = head_.seen.head;
    if (generation_ && generation_->failed && options_.as == SaveAs::newest) return true;
    return !damaged_.empty() || (generation_ && names_bad(head, *generation_)) ||
           (!generation_ && !head.generations.empty());
  }

  // HEAD exists from here on, so that every object of this save lies in an epoch that counts.
  Step open() {
    // One that was there a moment ago need not be looked at again: commit finds out what has happened since.
    const bool is_open = head_.state == HeadState::readable && head_.seen.head.min_writer <= kHeadFormat;
    Result<HeadRead> opened = is_open && damaged_.empty() ? head_ : open_head(store_, layout_, stop_);
    if (!opened) return failure(opened.error());
    const Head& head = opened->seen.head;
    // Whether or not the base could still be loaded: where it was purged in between, it is missing like a damaged one.
    const bool purged =
        (head_.state == HeadState::readable && head.epoch != head_.seen.head.epoch) || head.cut != head_.seen.head.cut;
    const auto gone = [&](const std::string& id) { return !id.empty() && find_base(head, id) == nullptr; };
    if (purged || gone(restored_) || (generation_ && gone(generation_->id))) {
      return SaveEnding{SaveOutcome::superseded, "the cache was purged or replaced meanwhile; not saved"};
    }
    if (head.epoch != head_.seen.head.epoch) damaged_.clear();
    head_ = std::move(*opened);
    save_ = new_id();
    return std::nullopt;
  }

  // Takes over, reads and stores content; afterwards it is known what has changed.
  Step take_in_content() {
    std::vector<ContentJob> jobs;
    ChunkIndex known;
    // Each round finds more damaged packs, so it ends.
    while (true) {
      const std::vector<bool> sound = sound_packs();
      takeable_ = without_worn(sound);
      jobs = content_jobs();
      if (jobs.empty() || !generation_) break;
      std::expected<ChunkIndex, ChunkIndex::Failure> loaded =
          ChunkIndex::load(store_, layout_, head_.seen.head.epoch, base_.manifest, packs_to_ask(jobs, sound), stop_);
      if (loaded) {
        known = std::move(*loaded);
        break;
      }
      if (loaded.error().damaged.empty()) return failure(loaded.error().error);
      for (const ChunkIndex::DamagedPack& one : loaded.error().damaged) {
        damaged_.insert(one.pack);
        warnings_.add(one.problem);
      }
    }
    const auto taken = static_cast<std::size_t>(std::ranges::count(takeable_, true));
    packs_ = std::make_unique<PackWriter>(store_, layout_, head_.seen.head.epoch, save_, taken, most_travelling());
    for (std::uint32_t slot = 0; slot < jobs.size(); ++slot) content_[jobs[slot].found] = slot;
    if (jobs.empty()) return std::nullopt;
    const ContentRequest request{.root = root_,
                                 .found = found_,
                                 .base = base_.manifest,
                                 .takeable = takeable_,
                                 .known = known,
                                 .packs = *packs_,
                                 .compression_level = level_of(jobs),
                                 .threads = options_.transfers > 0 ? options_.transfers : options_.threads,
                                 .progress = options_.progress.get()};
    ContentWriter writer(request, warnings_);
    Result<Contents> contents = writer.run(jobs, stop_);
    report_.read_bytes = writer.read_bytes();
    if (!contents) return failure(contents.error());
    contents_ = std::move(*contents);
    return std::nullopt;
  }

  // Whose trailers are read, a request each, to know content again: all, unless storing it anew costs less. A file that
  // is as long as before may be what it was, and is always looked for.
  std::vector<bool> packs_to_ask(const std::vector<ContentJob>& jobs, const std::vector<bool>& sound) const {
    std::vector<bool> asked(sound.size(), false);
    std::uint64_t bytes = 0;
    for (const ContentJob& job : jobs) {
      const std::uint64_t size = found_.status(job.found).size;
      bytes += size;
      if (job.base == kNone || base_.manifest.entries[job.base].size != size) continue;
      for (const Extent& extent : content_of(base_.manifest, job.base)) {
        if (extent.block == kHole) continue;
        const std::uint32_t pack = base_.manifest.blocks[extent.block].pack;
        if (pack != kInline) asked[pack] = sound[pack];
      }
    }
    const auto packs = static_cast<std::uint64_t>(std::ranges::count(sound, true));
    return bytes > packs * kWorthARequest ? sound : asked;
  }

  // Packs, each of which is in memory. While one thread waits for the store, another has the next one ready.
  std::size_t most_travelling() const {
    constexpr unsigned kMost = 4;
    if (options_.transfers > 0) return std::min(options_.transfers, kMost);
    return std::clamp(thread_count(options_.threads) / 2, 1U, kMost);
  }

  int level_of(const std::vector<ContentJob>& jobs) const {
    if (!generation_ || options_.compression_level != kDefaultCompressionLevel) return options_.compression_level;
    std::uint64_t bytes = 0;
    for (const ContentJob& job : jobs) bytes += found_.status(job.found).size;
    return bytes <= kLittle ? kLevelOfLittle : kDefaultCompressionLevel;
  }

  std::vector<bool> sound_packs() const {
    const Head& head = head_.seen.head;
    const std::set<ObjectName> bad(head.bad.begin(), head.bad.end());
    std::vector<bool> sound;
    for (const PackName& pack : base_.manifest.packs) {
      const ObjectName object{head.epoch, ObjectKind::pack, pack.save, pack.number};
      sound.push_back(!damaged_.contains(object) && !bad.contains(object));
    }
    return sound;
  }

  // Compaction rides on a save that has something to store anyway.
  std::vector<bool> without_worn(std::vector<bool> packs) const {
    if (!plan_.differs) return packs;
    const std::vector<bool> worn = worn_packs(base_.manifest);
    for (std::size_t index = 0; index < packs.size(); ++index) packs[index] = packs[index] && !worn[index];
    return packs;
  }

  std::vector<ContentJob> content_jobs() const {
    std::vector<ContentJob> jobs;
    for (std::uint32_t index = 0; index < found_.size(); ++index) {
      const Planned& planned = plan_.entries[index];
      if (planned.source == Source::disk) {
        jobs.push_back({index, ContentJob::From::disk, planned.base});
      } else if (planned.source == Source::base && !can_take_over(planned.base)) {
        const bool rides = base_.manifest.packs.empty();
        jobs.push_back({index, rides ? ContentJob::From::base : ContentJob::From::disk, planned.base});
      }
    }
    return jobs;
  }

  bool can_take_over(std::uint32_t entry) const {
    return std::ranges::all_of(content_of(base_.manifest, entry), [this](const Extent& extent) {
      if (extent.block == kHole) return true;
      const std::uint32_t pack = base_.manifest.blocks[extent.block].pack;
      return pack != kInline && takeable_[pack];
    });
  }

  SaveState state() const { return {root_status_, found_, plan_, base_, content_, contents_}; }

  SaveEnding publish() {
    const Changes changes = compare(state());
    report_.added = changes.added;
    report_.changed = changes.changed;
    report_.removed = changes.removed;
    if (!changes.any() && same_root() && !must_heal()) return SaveEnding{SaveOutcome::unchanged, ""};

    const MayInline may_inline = uses_base_packs(state()) ? MayInline::no : MayInline::yes;
    const Result<WrittenBlocks> written = packs_->finish(may_inline, stop_);
    if (!written) return failure(written.error());
    manifest_ = assemble(state(), *written);
    // While the store is written to.
    copy_.emplace(stop_, [this](const std::stop_token&) { return encode_manifest(manifest_, Packing::fast); });
    std::optional<DeltaBase> delta_base;
    if (generation_) delta_base.emplace(*generation_, base_.manifest);
    const Result<StoredManifest> stored =
        store_manifest(store_, layout_, head_.seen, save_, manifest_, delta_base, stop_);
    if (!stored) return failure(stored.error());
    manifest_bytes_ = stored->bytes;

    const Proposal proposal{.generation = stored->generation,
                            .epoch = head_.seen.head.epoch,
                            .base = generation_ ? generation_->id : restored_,
                            .cut = head_.seen.head.cut,
                            .damaged = {damaged_.begin(), damaged_.end()},
                            .place = options_.as == SaveAs::failed ? Place::aside : Place::in_force};
    const Result<CommitReport> committed = commit(store_, layout_, head_, proposal, stop_);
    if (!committed) return failure(committed.error());
    if (committed->outcome == CommitOutcome::superseded) return SaveEnding{SaveOutcome::superseded, committed->reason};
    report_.generation = stored->generation.id;
    sweep_if_due(committed->head.seen);
    return SaveEnding{SaveOutcome::saved, ""};
  }

  // After a build that succeeded nobody wants what a failed one left.
  void drop_failed() {
    if (options_.as == SaveAs::failed || failed_generation(head_.seen.head) == nullptr) return;
    const auto transition = [](const Seen& seen) -> Result<std::optional<Head>> {
      if (failed_generation(seen.head) == nullptr) return std::nullopt;
      return without_failed(seen);
    };
    const Result<HeadRead> dropped = update_head(store_, layout_, transition, stop_);
    if (!dropped) {
      warnings_.add(fmt::format("what a failed build left could not be dropped: {}", dropped.error().message));
    }
  }

  void sweep_if_due(const Seen& seen) {
    if (!sweep_due(seen)) return;
    const Result<SweepReport> swept = sweep(store_, layout_, stop_);
    if (!swept) warnings_.add(fmt::format("old objects were not looked for: {}", swept.error().message));
  }

  void finish(const SaveEnding& ending) {
    report_.outcome = ending.outcome;
    if (ending.outcome == SaveOutcome::failed && stop_.stop_requested()) report_.outcome = SaveOutcome::late;
    if (!ending.warning.empty()) warnings_.add(ending.warning);
    if (packs_) {
      report_.uploaded_bytes = packs_->uploaded_bytes() + manifest_bytes_;
      report_.uploaded_objects = packs_->uploaded_objects() + (manifest_bytes_ > 0 ? 1 : 0);
    }
    if (report_.outcome == SaveOutcome::unchanged && generation_) report_.generation = generation_->id;
    if (report_.outcome == SaveOutcome::saved || report_.outcome == SaveOutcome::unchanged) {
      const Changes changes = compare(state());
      report_.entries = changes.entries;
      report_.bytes = changes.bytes;
      remember();
    } else if (report_.outcome == SaveOutcome::superseded) {
      // The next save starts from what is in force then.
      ::unlink(index_path_.c_str());
    }
    report_.warnings = warnings_.take();
  }

  // The next save of this directory reads only what has changed since this one looked.
  void remember() {
    if (report_.generation.empty()) return;
    const bool saved = report_.outcome == SaveOutcome::saved;
    // What the index says already is still true.
    if (!saved && base_.index && !plan_.reads) return;
    std::vector<FileStatus> files = file_statuses(state());
    // Of a large tree that is a lot of memory, and what follows takes as much.
    found_ = {};
    plan_ = {};
    content_ = {};
    contents_ = {};
    Result<std::vector<std::byte>> copy = saved ? copy_->take() : encode_manifest(base_.manifest, Packing::fast);
    const Result<void> written =
        write_index(index_path_, {.store = store_.description(),
                                  .head = layout_.head().text(),
                                  .epoch = head_.seen.head.epoch,
                                  .generation = report_.generation,
                                  .probe = probe_,
                                  .directory = mark_of(directory_).value_or(DirectoryMark()),
                                  .damaged = {},
                                  .files = std::move(files),
                                  .manifest = std::move(copy).value_or(std::vector<std::byte>())});
    if (!written) warnings_.add(written.error().message);
  }

  store::ObjectStore& store_;
  const Layout layout_;
  const fs::path directory_;
  const fs::path index_path_;
  const SaveOptions& options_;
  const std::stop_token stop_;

  SaveReport report_;
  Warnings warnings_;
  HeadRead head_;
  std::string restored_;                  // the generation that the directory was equal to; "" for none
  std::optional<Generation> generation_;  // the base's
  Base base_;
  std::set<ObjectName> damaged_;
  Directories::Handle root_;
  FileStatus root_status_;
  std::int64_t probe_ = kNothingProved;
  Listing found_;
  SavePlan plan_;
  std::string save_;
  std::unique_ptr<PackWriter> packs_;
  std::vector<bool> takeable_;
  std::vector<std::uint32_t> content_;  // by found entry: index into contents_
  Contents contents_;
  Manifest manifest_;  // the new one
  std::uint64_t manifest_bytes_ = 0;
  // Last, since they use the others until they have ended.
  std::optional<Ahead<Result<Listing>>> found_ahead_;
  std::optional<Ahead<Result<std::vector<std::byte>>>> copy_;  // of the new manifest, for the index
};

}  // namespace

SaveReport save(store::ObjectStore& store, const Name& name, const fs::path& directory, const fs::path& index,
                const SaveOptions& options, std::stop_token stop) {
  Result<Layout> layout = Layout::of(name);
  if (!layout) {
    SaveReport report;
    report.warnings.push_back(layout.error().message);
    return report;
  }
  return Saver(store, std::move(*layout), tidy(directory), index, options, std::move(stop)).run();
}

}  // namespace hearth::cache
