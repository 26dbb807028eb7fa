// Restore: the newest generation that is whole becomes the directory.
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "cache/cache.h"
#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"
#include "cache/restore/fill.h"
#include "cache/restore/update_plan.h"
#include "cache/tree/beside.h"
#include "cache/tree/index.h"
#include "cache/tree/parallel.h"
#include "cache/tree/save_plan.h"
#include "cache/tree/tree.h"
#include "cache/tree/warnings.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::cache {

namespace {

namespace fs = std::filesystem;

// What ends the whole restore, and with which outcome.
struct RestoreEnding {
  RestoreOutcome outcome = RestoreOutcome::unavailable;
  std::string warning;
};

class Restorer {
 public:
  Restorer(store::ObjectStore& store, fs::path directory, fs::path index_path, const RestoreOptions& options,
           std::stop_token stop)
      : store_(store),
        directory_(std::move(directory)),
        index_path_(std::move(index_path)),
        options_(options),
        stop_(std::move(stop)) {}

  RestoreReport run(const Name& name) {
    index_.store = store_.description();
    if (const Result<void> aside = set_previous_aside(); !aside) {
      // The index stays, by which the next restore knows that it is ours.
      end({RestoreOutcome::unavailable, aside.error().message});
      return std::move(report_);
    }
    ::unlink(index_path_.c_str());
    restore_from(name);
    // Where no seed helps either, the next save has to know what became of its own cache.
    const std::string head = index_.head;
    const std::string epoch = index_.epoch;
    for (const std::string& seed : options_.seeds) {
      if (report_.outcome != RestoreOutcome::miss) break;
      if (seed != name.app) restore_from_seed({seed, name.stack, name.arch});
    }
    if (report_.generation.empty()) {
      index_.head = head;
      index_.epoch = epoch;
      remember("", directory_);
    }
    return std::move(report_);
  }

 private:
  // The directory as it was before.
  using FoundAhead = Ahead<Result<Listing>>;
  struct Previous {
    Staging staging;
    std::unique_ptr<FoundAhead> found;  // what it holds
    Base base;                          // with its index
  };
  enum class OnMissing { start_over, count_as_damage };

  void restore_from(const Name& name) {
    const Result<Layout> layout = Layout::of(name);
    if (!layout) return end({RestoreOutcome::unavailable, layout.error().message});
    index_.head = layout->head().text();
    index_.epoch.clear();
    damaged_.clear();
    // An object that is gone was collected if HEAD has moved on, and is damage if a second look finds the same.
    if (!attempt(*layout, OnMissing::start_over)) {
      damaged_.clear();
      attempt(*layout, OnMissing::count_as_damage);
    }
  }

  // A seed that cannot be restored is no worse than one that has no cache.
  void restore_from_seed(const Name& seed) {
    restore_from(seed);
    if (!report_.generation.empty()) {
      report_.seed = seed.app;
      return;
    }
    damaged_.clear();
    if (report_.outcome == RestoreOutcome::late) return;
    if (report_.outcome != RestoreOutcome::miss) {
      report_.warnings.push_back(fmt::format("the cache of {} could not be restored", util::shown(seed.app)));
    }
    report_.outcome = RestoreOutcome::miss;
  }

  void end(RestoreEnding ending) {
    report_.outcome = stop_.stop_requested() ? RestoreOutcome::late : ending.outcome;
    if (!ending.warning.empty()) report_.warnings.push_back(std::move(ending.warning));
  }

  // False: HEAD is to be read again.
  bool attempt(const Layout& layout, OnMissing on_missing) {
    const Result<HeadRead> head = read_head(store_, layout, stop_);
    if (!head) {
      end({RestoreOutcome::unavailable, head.error().message});
      return true;
    }
    switch (head->state) {
      case HeadState::absent:
        end({RestoreOutcome::miss, ""});
        return true;
      case HeadState::newer:
        end({RestoreOutcome::miss, head->problem});
        return true;
      case HeadState::corrupt:
        end({RestoreOutcome::damaged, head->problem});
        return true;
      case HeadState::readable:
        return try_generations(layout, head->seen.head, on_missing);
    }
    return true;
  }

  bool try_generations(const Layout& layout, const Head& head, OnMissing on_missing) {
    index_.epoch = head.epoch;
    const std::vector<const Generation*> candidates = candidates_of(head);
    for (const Generation* candidate : candidates) {
      const Generation& generation = *candidate;
      if (names_bad(head, generation) || names_damaged(head, generation)) continue;
      const std::optional<FillFailure> failure = restore_generation(layout, head, generation);
      if (!failure) {
        report_.outcome = candidate == candidates.front() ? RestoreOutcome::hit : RestoreOutcome::fallback;
        report_.of_failed = generation.failed;
        return true;
      }
      report_.fetched_bytes += failure->fetched_bytes;
      if (!failure->damaged) {
        end({RestoreOutcome::unavailable, failure->error.message});
        return true;
      }
      if (failure->error.kind == ErrorKind::not_found && on_missing == OnMissing::start_over) return false;
      damaged_.insert(*failure->damaged);
      report_.warnings.push_back(failure->error.message);
    }
    end({candidates.empty() ? RestoreOutcome::miss : RestoreOutcome::damaged, ""});
    return true;
  }

  // In the order in which they are tried.
  std::vector<const Generation*> candidates_of(const Head& head) const {
    std::vector<const Generation*> candidates;
    const Generation* failed = options_.from == From::failed_first ? failed_generation(head) : nullptr;
    if (failed != nullptr) candidates.push_back(failed);
    for (const Generation& generation : head.generations) candidates.push_back(&generation);
    return candidates;
  }

  bool names_damaged(const Head& head, const Generation& generation) const {
    const std::vector<ObjectName> objects = objects_of(head, generation);
    return std::ranges::any_of(objects, [this](const ObjectName& object) { return damaged_.contains(object); });
  }

  // What is at the directory's place, if it is ours, comes back only as what it should be. It goes even if nothing can
  // be restored; an error is that it can neither be moved nor removed.
  Result<void> set_previous_aside() {
    std::unique_ptr<FoundAhead> found = begin_walk();
    std::optional<Index> index = read_index(index_path_);
    if (!index || mark_of(directory_) != index->directory) return {};
    Result<Staging> staging = Staging::adopt(directory_);
    if (!staging) {
      const Result<void> removed = util::remove_tree(directory_);
      if (removed) return {};
      return fail(ErrorKind::io, "what lies in {} from before can be neither moved ({}) nor removed ({})",
                  directory_.native(), staging.error().message, removed.error().message);
    }
    if (index->store != index_.store || !found) return {};
    Result<Manifest> manifest = decode_manifest(index->manifest);
    index->manifest = {};
    if (!manifest || manifest->entries.size() != index->files.size()) return {};
    previous_.emplace(Previous{std::move(*staging), std::move(found), Base{std::move(*manifest), std::move(index)}});
    return {};
  }

  // Lists the directory, if it is ours, while the index is read and the store answers.
  std::unique_ptr<FoundAhead> begin_walk() const {
    const std::optional<DirectoryMark> ours = peek_directory(index_path_);
    if (!ours || mark_of(directory_) != ours) return nullptr;
    const Result<Directories> root = Directories::open(directory_);
    if (!root) return nullptr;
    const auto list = [root = root->root(),
                       threads = core_count(options_.threads)](const std::stop_token& stop) -> Result<Listing> {
      Warnings warnings;
      Listing found = TRY(walk(root, threads, {}, warnings, stop));
      if (const std::vector<std::string> unseen = warnings.take(); !unseen.empty()) {
        return fail(ErrorKind::io, "{}", unseen.front());
      }
      return found;
    };
    return std::make_unique<FoundAhead>(stop_, list);
  }

  std::optional<FillFailure> restore_generation(const Layout& layout, const Head& head, const Generation& generation) {
    const ObjectName name{head.epoch, ObjectKind::manifest, generation.id, 0};
    // Of which generation it is the manifest is known without the store.
    if (previous_ && previous_->base.index->head != index_.head) previous_.reset();
    std::optional<KnownManifest> known;
    if (previous_ && previous_->base.index->epoch == head.epoch && previous_->base.index->damaged.empty()) {
      known.emplace(previous_->base.index->generation, previous_->base.manifest);
    }
    std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout, head, generation, stop_, known);
    if (!loaded) return FillFailure{loaded.error().error, loaded.error().damaged, 0};
    report_.fetched_bytes += loaded->fetched_bytes;
    const Manifest& manifest = loaded->manifest;
    if (std::optional<Previous> previous = std::exchange(previous_, std::nullopt)) {
      std::optional<FillFailure> failure = update(*previous, layout, name, manifest);
      if (!failure || failure->damaged) return failure;
      report_.fetched_bytes += failure->fetched_bytes;
    }
    Result<Staging> staging = Staging::create(directory_);
    if (!staging) return FillFailure{staging.error(), std::nullopt, 0};
    return fill_and_publish(*staging, layout, name, manifest, nullptr);
  }

  // Changing owners would cost as much as making everything anew.
  bool belongs_to_owner(const util::Fd& root, const Listing& found) const {
    if (!options_.owner) return true;
    struct stat status{};
    return ::fstat(root.get(), &status) == 0 && status.st_uid == *options_.owner && found.has_one_owner();
  }

  std::optional<FillFailure> update(Previous& previous, const Layout& layout, const ObjectName& name,
                                    const Manifest& manifest) {
    const auto failed = [](const Error& error) { return FillFailure{error, std::nullopt, 0}; };
    const Result<Listing> found = previous.found->take();
    if (!found) return failed(found.error());
    const Result<Directories> root = Directories::open(previous.staging.path());
    if (!root) return failed(root.error());
    if (!belongs_to_owner(*root->root(), *found)) return failed({ErrorKind::io, "it has another owner"});
    const UpdatePlan plan = plan_update(*found, previous.base, manifest);
    if (const Result<void> cleared = clear_way(root->root(), *found, plan, core_count(options_.threads), stop_);
        !cleared) {
      return failed(cleared.error());
    }
    return fill_and_publish(previous.staging, layout, name, manifest, &plan);
  }

  std::optional<FillFailure> fill_and_publish(Staging& staging, const Layout& layout, const ObjectName& name,
                                              const Manifest& manifest, const UpdatePlan* plan) {
    const FillRequest request{.store = store_,
                              .layout = layout,
                              .manifest_name = name,
                              .manifest = manifest,
                              .root = staging.path(),
                              .update = plan,
                              .owner = options_.owner,
                              .threads = options_.transfers > 0 ? options_.transfers : options_.threads,
                              .progress = options_.progress.get()};
    auto encoding = in_background([&manifest] { return encode_manifest(manifest, Packing::fast); });
    std::expected<Filled, FillFailure> filled = fill(request, stop_);
    Result<std::vector<std::byte>> copy = encoding.get();
    if (!filled) return std::move(filled).error();
    index_.files = std::move(filled->files);
    // Without it the next save asks the store.
    if (copy) index_.manifest = std::move(*copy);
    // Before anybody can see the directory, so that it is known as ours whenever this process ends.
    remember(name.save, staging.path());
    if (Result<void> published = staging.publish(directory_); !published) {
      index_.files.clear();
      index_.manifest.clear();
      return FillFailure{published.error(), std::nullopt, 0};
    }
    report_.generation = name.save;
    report_.entries = manifest.entries.size();
    report_.bytes = filled->bytes;
    report_.fetched_bytes += filled->fetched_bytes;
    return std::nullopt;
  }

  // The index tells the next save what is proved unchanged, and what it must store anew. The directory lies at `place`
  // now, and holds the generation; where there is none, it is ours only if it is empty.
  void remember(const std::string& generation, const fs::path& place) {
    index_.generation = generation;
    index_.damaged.assign(damaged_.begin(), damaged_.end());
    std::error_code code;
    const bool ours = !generation.empty() || (fs::is_empty(place, code) && !code);
    index_.directory = ours ? mark_of(place).value_or(DirectoryMark()) : DirectoryMark();
    index_.probe = generation.empty() ? kNothingProved : take_probe(probe_path(directory_), index_.directory.device);
    const Result<void> written = write_index(index_path_, index_);
    if (!written) report_.warnings.push_back(written.error().message);
  }

  store::ObjectStore& store_;
  const fs::path directory_;
  const fs::path index_path_;
  const RestoreOptions& options_;
  const std::stop_token stop_;
  RestoreReport report_;
  Index index_;
  std::optional<Previous> previous_;  // until it is used
  std::set<ObjectName> damaged_;
};

}  // namespace

RestoreReport restore(store::ObjectStore& store, const Name& name, const fs::path& directory, const fs::path& index,
                      const RestoreOptions& options, std::stop_token stop) {
  return Restorer(store, tidy(directory), index, options, std::move(stop)).run(name);
}

}  // namespace hearth::cache
