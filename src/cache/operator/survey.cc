#include "cache/operator/survey.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

// Whose manifest cannot be had may still be shown; a store that does not answer ends everything.
bool ends_everything(const Error& error) {
  return error.kind == ErrorKind::cancelled || error.kind == ErrorKind::unavailable || error.kind == ErrorKind::denied;
}

Result<void> complete(CacheSummary& summary, store::ObjectStore& store, const std::stop_token& stop) {
  const Layout layout = TRY(Layout::of(summary.name));
  const Result<HeadRead> read = read_usable_head(store, layout, stop);
  if (!read) {
    if (ends_everything(read.error())) return std::unexpected(read.error());
    summary.error = read.error();
    return {};
  }
  const Head& head = read->seen.head;
  summary.generations = head.generations.size();
  if (head.generations.empty()) return {};
  summary.last_save = head.generations.front().saved;
  const Result<OpenedGeneration> newest = open_generation(store, layout, "0", stop);
  if (newest) {
    summary.newest = size_of(newest->manifest);
    return {};
  }
  if (ends_everything(newest.error())) return std::unexpected(newest.error());
  // Emptied since HEAD was read.
  if (newest.error().kind != ErrorKind::not_found) summary.error = newest.error();
  return {};
}

class Looker {
 public:
  Looker(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop)
      : store_(store), layout_(layout), stop_(stop) {}

  Result<CacheDetails> run() {
    details_.head = TRY(read_usable_head(store_, layout_, stop_));
    const Head& head = details_.head.seen.head;
    for (const auto* generations : {&head.generations, &head.aside}) {
      for (const Generation& generation : *generations) {
        for (const auto& [object, bytes] : sizes_of(generation)) ++users_[object];
      }
    }
    for (const Generation& generation : head.generations) details_.generations.push_back(TRY(of(generation)));
    for (const Generation& generation : head.aside) details_.aside.push_back(TRY(of(generation)));
    TRY(list());
    return std::move(details_);
  }

 private:
  std::vector<std::pair<ObjectName, std::uint64_t>> sizes_of(const Generation& generation) const {
    const std::string& epoch = details_.head.seen.head.epoch;
    std::vector<std::pair<ObjectName, std::uint64_t>> sizes;
    for (const ManifestName& manifest : generation.manifests) {
      sizes.emplace_back(ObjectName{epoch, ObjectKind::manifest, manifest.save, 0}, manifest.bytes);
    }
    for (const PackName& pack : generation.packs) {
      sizes.emplace_back(ObjectName{epoch, ObjectKind::pack, pack.save, pack.number}, pack.bytes);
    }
    return sizes;
  }

  Result<GenerationDetails> of(const Generation& generation) {
    const Head& head = details_.head.seen.head;
    GenerationDetails details;
    details.generation = generation;
    details.pinned = std::ranges::find(head.pins, generation.id) != head.pins.end();
    details.bad = names_bad(head, generation);
    for (const auto& [object, bytes] : sizes_of(generation)) {
      details.objects.add(bytes);
      if (users_.at(object) == 1) details.own += bytes;
    }
    const Result<OpenedGeneration> opened = open_generation(store_, layout_, head, generation, stop_);
    if (opened) {
      details.tree = size_of(opened->manifest);
    } else if (ends_everything(opened.error())) {
      return std::unexpected(opened.error());
    } else {
      details.error = opened.error();
    }
    return details;
  }

  Result<void> list() {
    std::set<ObjectName> trash;
    for (const Trashed& trashed : details_.head.seen.head.trash) trash.insert(trashed.object);
    details_.stored.add(TRY(store_.stat(layout_.head(), stop_)).size);
    const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
      const std::optional<ObjectName> object = layout_.parse(info.key);
      if (!object) return {};
      details_.stored.add(info.size);
      if (trash.contains(*object)) {
        details_.trash.add(info.size);
      } else if (!users_.contains(*object)) {
        details_.unnamed.add(info.size);
      }
      return {};
    };
    return store_.list(layout_.objects(), visit, stop_);
  }

  store::ObjectStore& store_;
  const Layout& layout_;
  const std::stop_token& stop_;
  CacheDetails details_;
  std::map<ObjectName, std::uint64_t> users_;  // how many generations need it
};

}  // namespace

Result<std::vector<CacheSummary>> survey(store::ObjectStore& store, std::string_view app,
                                         const std::function<bool(const Name&)>& wanted, const std::stop_token& stop) {
  std::vector<CacheSummary> summaries;
  std::map<std::string, std::size_t, std::less<>> known;  // by the key of HEAD
  const auto count = [&](const Name& name, std::uint64_t size) -> Result<void> {
    const Layout layout = TRY(Layout::of(name));
    if (const auto found = known.find(layout.head().text()); found != known.end()) {
      summaries[found->second].stored.add(size);
    }
    return {};
  };
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    std::optional<Name> name = Layout::name_of(info.key);
    if (!name) {
      const std::optional<Name> owner = Layout::owner_of(info.key);
      return owner ? count(*owner, info.size) : Result<void>();
    }
    if (!wanted(*name)) return {};
    known.emplace(info.key.text(), summaries.size());
    summaries.emplace_back().name = std::move(*name);
    summaries.back().stored.add(info.size);
    return {};
  };
  const store::Prefix prefix = TRY(app.empty() ? Result<store::Prefix>(Layout::all()) : Layout::caches_of(app));
  TRY(store.list(prefix, visit, stop));
  std::atomic<std::size_t> next = 0;
  const auto work = [&](const std::stop_token& token) -> Result<void> {
    for (std::size_t index = next++; index < summaries.size(); index = next++) {
      TRY(complete(summaries[index], store, token));
    }
    return {};
  };
  const auto threads = static_cast<unsigned>(std::min<std::size_t>(thread_count(0), summaries.size()));
  TRY(in_parallel(threads, stop, work));
  return summaries;
}

Result<CacheDetails> look_into(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop) {
  return Looker(store, layout, stop).run();
}

}  // namespace hearth::cache
