// Restore: the newest generation that is whole becomes the directory.
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cache/beside.h"
#include "cache/cache.h"
#include "cache/commit.h"
#include "cache/fill.h"
#include "cache/index.h"
#include "cache/manifest_store.h"

namespace hearth::cache {

namespace {

namespace fs = std::filesystem;

// What ends the whole restore, and with which outcome.
struct Ending {
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
    ::unlink(index_path_.c_str());
    index_.store = store_.description();
    const Result<Layout> layout = Layout::of(name);
    if (!layout) {
      end({RestoreOutcome::unavailable, layout.error().message});
      return std::move(report_);
    }
    index_.head = layout->head().text();
    // An object that is gone was collected if HEAD has moved on, and is damage if a second look finds the same.
    if (!attempt(*layout, OnMissing::start_over)) {
      damaged_.clear();
      attempt(*layout, OnMissing::count_as_damage);
    }
    remember();
    return std::move(report_);
  }

 private:
  enum class OnMissing { start_over, count_as_damage };

  void end(Ending ending) {
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
    for (const Generation& generation : head.generations) {
      if (names_bad(head, generation) || names_damaged(head, generation)) continue;
      const std::optional<FillFailure> failure = restore_generation(layout, head, generation);
      if (!failure) {
        const bool newest = &generation == &head.generations.front();
        report_.outcome = newest ? RestoreOutcome::hit : RestoreOutcome::fallback;
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
    end({head.generations.empty() ? RestoreOutcome::miss : RestoreOutcome::damaged, ""});
    return true;
  }

  bool names_damaged(const Head& head, const Generation& generation) const {
    const std::vector<ObjectName> objects = objects_of(head, generation);
    return std::ranges::any_of(objects, [this](const ObjectName& object) { return damaged_.contains(object); });
  }

  std::optional<FillFailure> restore_generation(const Layout& layout, const Head& head, const Generation& generation) {
    const std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout, head, generation, stop_);
    if (!loaded) return FillFailure{loaded.error().error, loaded.error().damaged, 0};
    report_.fetched_bytes += loaded->fetched_bytes;
    Result<Staging> staging = Staging::create(directory_);
    if (!staging) return FillFailure{staging.error(), std::nullopt, 0};
    const FillRequest request{.store = store_,
                              .layout = layout,
                              .manifest_name = {head.epoch, ObjectKind::manifest, generation.id, 0},
                              .manifest = loaded->manifest,
                              .root = staging->path(),
                              .owner = options_.owner,
                              .threads = options_.threads};
    std::expected<Filled, FillFailure> filled = fill(request, stop_);
    if (!filled) return std::move(filled).error();
    if (Result<void> published = staging->publish(directory_); !published) {
      return FillFailure{published.error(), std::nullopt, 0};
    }
    report_.generation = generation.id;
    report_.entries = loaded->manifest.entries.size();
    report_.bytes = filled->bytes;
    report_.fetched_bytes += filled->fetched_bytes;
    index_.files = std::move(filled->files);
    // Without it the next save asks the store.
    if (Result<std::vector<std::byte>> copy = encode_manifest(loaded->manifest, Packing::fast)) {
      index_.manifest = std::move(*copy);
    }
    return std::nullopt;
  }

  // The index tells the next save what is proved unchanged, and what it must store anew.
  void remember() {
    index_.generation = report_.generation;
    index_.damaged.assign(damaged_.begin(), damaged_.end());
    index_.directory = mark_of(directory_).value_or(DirectoryMark());
    index_.probe =
        report_.generation.empty() ? kNothingProved : take_probe(probe_path(directory_), index_.directory.device);
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
  std::set<ObjectName> damaged_;
};

}  // namespace

RestoreReport restore(store::ObjectStore& store, const Name& name, const fs::path& directory, const fs::path& index,
                      const RestoreOptions& options, std::stop_token stop) {
  return Restorer(store, tidy(directory), index, options, std::move(stop)).run(name);
}

}  // namespace hearth::cache
