#include "cache/generations/collect.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "cache/generations/commit.h"
#include "cache/generations/inspect.h"

namespace hearth::cache {

namespace {

Result<Sweep> listing(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop) {
  Sweep sweep;
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    sweep.taken = std::max(sweep.taken, info.now);
    if (auto object = layout.parse(info.key)) sweep.objects.push_back({*object, info.size, info.modified});
    return {};
  };
  TRY(within("listing the cache", store.list(layout.objects(), visit, stop)));
  return sweep;
}

Result<std::vector<ObjectName>> confirmed_absent(store::ObjectStore& store, const Layout& layout,
                                                 const std::vector<ObjectName>& suspects, const std::stop_token& stop) {
  std::vector<ObjectName> gone;
  for (const ObjectName& object : suspects) {
    const auto info = store.stat(layout.key(object), stop);
    if (info) continue;
    if (info.error().kind != ErrorKind::not_found) return std::unexpected(info.error());
    gone.push_back(object);
  }
  return gone;
}

Result<void> delete_all(store::ObjectStore& store, const Layout& layout, const std::vector<ObjectName>& objects,
                        const std::stop_token& stop) {
  std::vector<store::Key> keys;
  for (const ObjectName& object : objects) keys.push_back(layout.key(object));
  return within("deleting garbage", store.remove_each(keys, stop));
}

// What becomes of each object that was found, and of each that the trash names.
class SweepCount {
 public:
  // `seen` is without what is deleted, `after` what is made of it.
  SweepCount(const Seen& seen, const Sweep& found, const std::set<ObjectName>& deleted, const Head& after)
      : deleted_(deleted) {
    for (const Trashed& trashed : seen.head.trash) before_.insert(trashed.object);
    for (const Trashed& trashed : after.trash) after_.insert(trashed.object);
    named_ = named_objects(after);
    for (const Listed& listed : found.objects) add(listed, found.taken);
    report_.bad = after.bad.size() - seen.head.bad.size();
  }

  const SweepReport& report() const { return report_; }

 private:
  void add(const Listed& listed, store::StoreTime taken) {
    report_.listed.add(listed.bytes);
    Stored* kind = nullptr;
    if (deleted_.contains(listed.object)) {
      kind = &report_.deleted;
    } else if (before_.contains(listed.object)) {
      kind = &report_.waiting;
    } else if (after_.contains(listed.object)) {
      kind = &report_.trashed;
    } else if (!named_.contains(listed.object)) {
      kind = taken - listed.modified > kUnreferencedAge ? &report_.left : &report_.young;
    }
    if (kind != nullptr) kind->add(listed.bytes);
  }

  const std::set<ObjectName>& deleted_;
  std::set<ObjectName> before_;
  std::set<ObjectName> after_;
  std::map<ObjectName, std::uint64_t> named_;
  SweepReport report_;
};

// Empties the cache as it is now if `wanted` says so. Its epochs are added to `dead`. False: it was not wanted.
Result<bool> put_purged(store::ObjectStore& store, const Layout& layout, std::set<std::string>& dead,
                        const std::function<bool(const Head&)>& wanted, const std::stop_token& stop) {
  std::set<std::string> own;  // epochs that this purge made
  bool done = false;
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    done = own.contains(seen.head.epoch);
    if (done || !wanted(seen.head)) return std::nullopt;
    Head head = purged(seen);
    dead.insert(seen.head.epoch);
    own.insert(head.epoch);
    done = true;
    return head;
  };
  const Result<HeadRead> put = update_head(store, layout, transition, stop);
  // Without HEAD it is purged already.
  if (!put && put.error().kind == ErrorKind::not_found) return true;
  if (!put) return std::unexpected(put.error());
  return done;
}

// What becomes of a cache whose HEAD cannot be read, so that nobody can tell whether it is wanted.
enum class Unreadable { is_purged, is_an_error };

Result<std::optional<PurgeReport>> purge_if(store::ObjectStore& store, const Layout& layout,
                                            const std::function<bool(const Head&)>& wanted, Unreadable unreadable,
                                            const std::stop_token& stop) {
  // The epochs that exist before the new HEAD are dead after it; one that appears later may be the living one.
  const Sweep before = TRY(listing(store, layout, stop));
  std::set<std::string> dead;
  for (const Listed& listed : before.objects) dead.insert(listed.object.epoch);
  const HeadRead read = TRY(read_head(store, layout, stop));
  if (read.state == HeadState::absent && before.objects.empty()) return PurgeReport{};
  // Absent or corrupt: a fresh epoch; a newer HEAD is refused there. A first save may have made one at this very
  // moment, and be at work: its epoch, too, is not the one that is there in the end.
  if (read.state != HeadState::readable && unreadable == Unreadable::is_an_error) {
    TRY(read_usable_head(store, layout, stop));
  } else if (read.state != HeadState::readable) {
    TRY(open_head(store, layout, stop));
  }
  const bool purged = TRY(put_purged(store, layout, dead, wanted, stop));
  if (!purged) return std::nullopt;
  const Sweep now = TRY(listing(store, layout, stop));
  PurgeReport report;
  std::vector<ObjectName> garbage;
  for (const Listed& listed : now.objects) {
    if (!dead.contains(listed.object.epoch)) continue;
    garbage.push_back(listed.object);
    report.bytes += listed.bytes;
  }
  TRY(delete_all(store, layout, garbage, stop));
  report.deleted = garbage.size();
  return report;
}

}  // namespace

Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  return sweep(store, layout, Rehearse::no, std::move(stop));
}

Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, Rehearse rehearse, std::stop_token stop) {
  // Taken before HEAD is read: what a HEAD of later names and the listing lacks may just be younger.
  Sweep found = TRY(listing(store, layout, stop));
  SweepReport report;
  for (const Listed& listed : found.objects) report.listed.add(listed.bytes);
  Stored deleted_before;  // by attempts whose HEAD was not taken
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    if (found.objects.empty()) found.taken = seen.now;
    found.gone = TRY(confirmed_absent(store, layout, unlisted(seen.head, found.objects), stop));
    const std::vector<ObjectName> expired = expired_trash(seen);
    if (rehearse == Rehearse::no) TRY(delete_all(store, layout, expired, stop));
    const std::set<ObjectName> deleted(expired.begin(), expired.end());
    const Seen left = without_trash(seen, deleted);
    Sweep rest = found;
    // What was just deleted may be in the listing still; it is garbage no more.
    std::erase_if(rest.objects, [&](const Listed& listed) { return deleted.contains(listed.object); });
    Head head = swept(left, rest);
    const Stored listed = report.listed;
    report = SweepCount(left, found, deleted, head).report();
    report.listed = listed;
    report.deleted.objects += deleted_before.objects;
    report.deleted.bytes += deleted_before.bytes;
    if (rehearse == Rehearse::yes) return std::nullopt;
    deleted_before = report.deleted;
    found = std::move(rest);
    return head;
  };
  const Result<HeadRead> done = update_head(store, layout, transition, stop);
  if (!done && done.error().kind != ErrorKind::not_found) return std::unexpected(done.error());
  return report;
}

Result<PurgeReport> purge(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  const auto any = [](const Head& /*head*/) { return true; };
  const std::optional<PurgeReport> report = TRY(purge_if(store, layout, any, Unreadable::is_purged, stop));
  return report.value_or(PurgeReport{});
}

Result<std::optional<PurgeReport>> purge_unless_saved(store::ObjectStore& store, const Layout& layout,
                                                      std::string_view newest, std::stop_token stop) {
  const auto same = [newest](const Head& head) {
    return head.generations.empty() ? newest.empty() : head.generations.front().id == newest;
  };
  return purge_if(store, layout, same, Unreadable::is_an_error, stop);
}

Result<std::vector<StoredCache>> measure_caches(store::ObjectStore& store, std::string_view app,
                                                const std::stop_token& stop) {
  const store::Prefix prefix = TRY(Layout::caches_of(app));
  std::map<std::pair<std::string, std::string>, StoredCache> caches;
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    const std::optional<Name> head = Layout::name_of(info.key);
    const std::optional<Name> name = head ? head : Layout::owner_of(info.key);
    if (!name) return {};
    StoredCache& cache = caches[{name->stack, name->arch}];
    cache.name = *name;
    cache.has_head = cache.has_head || head.has_value();
    cache.objects.add(info.size);
    return {};
  };
  TRY(within("listing the caches", store.list(prefix, visit, stop)));
  std::vector<StoredCache> result;
  for (auto& [key, cache] : caches) result.push_back(std::move(cache));
  return result;
}

Result<PurgeReport> purge_app(store::ObjectStore& store, std::string_view app, const std::stop_token& stop) {
  PurgeReport report;
  // Of one that was purged from outside there is no HEAD, but all else may be.
  const std::vector<StoredCache> caches = TRY(measure_caches(store, app, stop));
  for (const StoredCache& cache : caches) {
    const Layout layout = TRY(Layout::of(cache.name));
    const PurgeReport one = TRY(purge(store, layout, stop));
    report.deleted += one.deleted;
    report.bytes += one.bytes;
  }
  return report;
}

}  // namespace hearth::cache
