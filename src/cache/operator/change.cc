#include "cache/operator/change.h"

#include <algorithm>
#include <optional>

#include "cache/generations/commit.h"
#include "cache/generations/inspect.h"
#include "cache/generations/transition.h"

namespace hearth::cache {

namespace {

bool is_pinned(const Head& head, std::string_view id) {
  return std::ranges::find(head.pins, id) != head.pins.end();
}

// A number means another generation as soon as a save was committed: it is looked up once, in the HEAD that the command
// saw, and the id counts from then on.
Result<std::string> id_of(store::ObjectStore& store, const Layout& layout, std::string_view which, Among among,
                          const std::stop_token& stop) {
  const HeadRead read = TRY(read_usable_head(store, layout, stop));
  const Generation* generation = TRY(choose_generation(read.seen.head, which, among));
  return generation->id;
}

}  // namespace

Result<RollbackReport> roll_back(store::ObjectStore& store, const Layout& layout, std::string_view which,
                                 Rehearse rehearse, const std::stop_token& stop) {
  RollbackReport report;
  report.generation = TRY(id_of(store, layout, which, Among::in_force, stop));
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    std::vector<std::string> aside;
    for (const Generation& generation : seen.head.generations) {
      if (generation.id == report.generation) break;
      aside.push_back(generation.id);
    }
    if (aside.empty() && !seen.head.generations.empty()) return std::nullopt;
    Head head = TRY(rolled_back(seen, report.generation));
    // What an attempt without an answer has done already is told, too.
    for (std::string& id : aside) {
      if (std::ranges::find(report.aside, id) == report.aside.end()) report.aside.push_back(std::move(id));
    }
    if (rehearse == Rehearse::yes) return std::nullopt;
    return head;
  };
  TRY(within("rolling back", update_head(store, layout, transition, stop)));
  return report;
}

Result<PinReport> pin(store::ObjectStore& store, const Layout& layout, std::string_view which,
                      const std::stop_token& stop) {
  PinReport report;
  report.generation = TRY(id_of(store, layout, which, Among::in_force, stop));
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    if (is_pinned(seen.head, report.generation)) return std::nullopt;
    report.changed = true;
    return TRY(pinned(seen, report.generation));
  };
  const HeadRead read = TRY(within("pinning", update_head(store, layout, transition, stop)));
  report.pins = read.seen.head.pins;
  return report;
}

Result<PinReport> unpin(store::ObjectStore& store, const Layout& layout, std::string_view which,
                        const std::stop_token& stop) {
  PinReport report;
  const HeadRead now = TRY(read_usable_head(store, layout, stop));
  report.generation = std::string(which);
  if (!is_pinned(now.seen.head, which)) {
    report.generation = TRY(choose_generation(now.seen.head, which, Among::in_force_and_aside))->id;
  }
  const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
    if (!is_pinned(seen.head, report.generation)) return std::nullopt;
    report.changed = true;
    return unpinned(seen, report.generation);
  };
  const HeadRead read = TRY(within("unpinning", update_head(store, layout, transition, stop)));
  report.pins = read.seen.head.pins;
  return report;
}

}  // namespace hearth::cache
