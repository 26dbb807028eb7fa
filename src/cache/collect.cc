#include "cache/collect.h"

#include <algorithm>
#include <set>

#include "cache/commit.h"
#include "cache/inspect.h"

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

Result<std::set<ObjectName>> delete_all(store::ObjectStore& store, const Layout& layout,
                                        const std::vector<ObjectName>& objects, const std::stop_token& stop) {
  std::vector<store::Key> keys;
  for (const ObjectName& object : objects) keys.push_back(layout.key(object));
  TRY(within("deleting garbage", store.remove_each(keys, stop)));
  return std::set<ObjectName>(objects.begin(), objects.end());
}

}  // namespace

Result<SweepReport> sweep(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  // Taken before HEAD is read: what a HEAD of later names and the listing lacks may just be younger.
  Sweep found = TRY(listing(store, layout, stop));
  SweepReport report{.objects = found.objects.size()};
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    found.taken = found.objects.empty() ? seen.now : found.taken;
    found.gone = TRY(confirmed_absent(store, layout, unlisted(seen.head, found.objects), stop));
    const std::set<ObjectName> deleted = TRY(delete_all(store, layout, expired_trash(seen), stop));
    // What was just deleted may be in the listing still; it is garbage no more.
    std::erase_if(found.objects, [&](const Listed& listed) { return deleted.contains(listed.object); });
    Head head = swept(without_trash(seen, deleted), found);
    report.deleted += deleted.size();
    report.trashed = head.trash.size() + deleted.size() - seen.head.trash.size();
    report.bad = head.bad.size() - seen.head.bad.size();
    return head;
  };
  const Result<HeadRead> done = update_head(store, layout, transition, stop);
  if (!done && done.error().kind != ErrorKind::not_found) return std::unexpected(done.error());
  return report;
}

Result<PurgeReport> purge(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  // The epochs that exist before the new HEAD are dead after it; one that appears later may be the living one.
  const Sweep before = TRY(listing(store, layout, stop));
  std::set<std::string> dead;
  for (const Listed& listed : before.objects) dead.insert(listed.object.epoch);
  const HeadRead read = TRY(read_head(store, layout, stop));
  if (read.state == HeadState::absent && before.objects.empty()) return PurgeReport{};
  if (read.state != HeadState::readable) {
    // Absent or corrupt: a fresh epoch. A newer one is refused there.
    TRY(open_head(store, layout, stop));
  } else {
    TRY(update_head(
        store, layout,
        [&](const Seen& seen) -> Result<std::optional<Head>> {
          dead.insert(seen.head.epoch);
          return purged(seen);
        },
        stop));
  }
  const Sweep now = TRY(listing(store, layout, stop));
  std::vector<ObjectName> garbage;
  for (const Listed& listed : now.objects) {
    if (dead.contains(listed.object.epoch)) garbage.push_back(listed.object);
  }
  const std::set<ObjectName> deleted = TRY(delete_all(store, layout, garbage, stop));
  return PurgeReport{.deleted = deleted.size()};
}

Result<PurgeReport> purge_app(store::ObjectStore& store, std::string_view app, const std::stop_token& stop) {
  PurgeReport report;
  const std::vector<Name> names = TRY(find_caches(store, app, stop));
  for (const Name& name : names) {
    const Layout layout = TRY(Layout::of(name));
    const PurgeReport one = TRY(purge(store, layout, stop));
    report.deleted += one.deleted;
  }
  return report;
}

}  // namespace hearth::cache
