// hearth cache expire: deletes the caches that nobody has used for long.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "build/last_restore.h"
#include "cache/generations/collect.h"
#include "cache/generations/inspect.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheExpireExamples = R"(Examples:
  hearth cache expire --all --unused 30d
  hearth cache expire --all --unused 90d --yes --store file:///srv/hearth --format json
  hearth cache expire blog --unused 12h --yes

A cache is unused when its newest generation was saved longer ago than that, by the store's clock, and no build of the
app restored it since, as the reports in the store tell. Of `hearth cache restore` there are no reports: what is only
restored so, and never changes, counts as unused. Exit codes: 0 done, or nothing to do, 1 declined, 2 usage, 4 APP has no
cache, 5 the store failed.)";

struct ExpireFlags : CacheTarget {
  std::chrono::milliseconds unused{};
  bool yes = false;
};

struct Unused {
  cache::Name name;
  std::string newest;  // generation
  store::StoreTime saved;
  std::optional<store::StoreTime> restored;
  std::chrono::seconds unused{};
  cache::Stored stored;
  std::optional<cache::PurgeReport> purged;
};

// Absent: it was used.
Result<std::optional<Unused>> look_at(store::ObjectStore& store, const cache::Name& name, const ExpireFlags& flags,
                                      const std::stop_token& stop) {
  const cache::Layout layout = TRY(cache::Layout::of(name));
  const Result<cache::HeadRead> read = cache::read_usable_head(store, layout, stop);
  if (!read && read.error().kind == ErrorKind::not_found) return std::nullopt;
  if (!read) return std::unexpected(read.error());
  const cache::Seen& seen = read->seen;
  // A purged cache is as small as it can be.
  if (seen.head.generations.empty()) return std::nullopt;
  const cache::Generation& newest = seen.head.generations.front();
  if (seen.now - newest.saved <= flags.unused) return std::nullopt;
  Unused unused{.name = name,
                .newest = newest.id,
                .saved = newest.saved,
                .restored = {},
                .unused = seen.now - newest.saved,
                .stored = {},
                .purged = {}};
  unused.restored = TRY(build::last_restore(store, name, newest.saved, stop));
  if (unused.restored) unused.unused = seen.now - *unused.restored;
  if (unused.unused <= flags.unused) return std::nullopt;
  const std::vector<cache::StoredCache> caches = TRY(cache::measure_caches(store, name.app, stop));
  const auto same = std::ranges::find(caches, name, &cache::StoredCache::name);
  if (same != caches.end()) unused.stored = same->objects;
  return unused;
}

std::string used_time(std::optional<store::StoreTime> time) {
  return time ? util::utc_timestamp(*time) : "never";
}

std::string line_of(const Unused& unused) {
  return fmt::format("{}: {}, {}; saved {}, last restored {}", title(unused.name),
                     plural(unused.stored.objects, "object"), util::human_size(unused.stored.bytes),
                     used_time(unused.saved), used_time(unused.restored));
}

nlohmann::json as_json(const Unused& unused) {
  return {{"app", unused.name.app},
          {"stack", unused.name.stack},
          {"arch", unused.name.arch},
          {"saved", util::utc_timestamp(unused.saved)},
          {"restored", unused.restored ? nlohmann::json(util::utc_timestamp(*unused.restored)) : nlohmann::json()},
          {"unused_seconds", unused.unused.count()},
          {"stored_objects", unused.stored.objects},
          {"stored_bytes", unused.stored.bytes},
          {"expired", unused.purged.has_value()},
          {"deleted_objects", unused.purged ? unused.purged->deleted : 0},
          {"deleted_bytes", unused.purged ? unused.purged->bytes : 0}};
}

void say_expired(const Unused& unused) {
  if (!unused.purged) {
    say(fmt::format("{}: stays, it was saved just now", title(unused.name)));
    return;
  }
  say(fmt::format("{}: expired, {}, {} deleted", title(unused.name), plural(unused.purged->deleted, "object"),
                  util::human_size(unused.purged->bytes)));
}

// The exit code of what could be looked at, and of what could not.
int find_unused(const FoundCaches& found, const ExpireFlags& flags, const Session& session,
                std::vector<Unused>& unused) {
  const std::stop_token stop = session.signals.token();
  int code = static_cast<int>(ExitCode::success);
  for (const cache::Name& name : found.names) {
    Result<std::optional<Unused>> one = look_at(*found.opened.store, name, flags, stop);
    if (!one) {
      code = refuse_of_store({one.error().kind, fmt::format("{}: {}", title(name), one.error().message)}, session);
      if (stop.stop_requested()) break;
    } else if (*one) {
      unused.push_back(std::move(**one));
    }
  }
  return code;
}

int expire(const FoundCaches& found, const ExpireFlags& flags, const Session& session, std::vector<Unused>& unused) {
  int code = static_cast<int>(ExitCode::success);
  for (Unused& one : unused) {
    const cache::Layout layout = cache::Layout::of(one.name).value();
    auto purged = cache::purge_unless_saved(*found.opened.store, layout, one.newest, session.signals.token());
    if (!purged) {
      code = refuse_of_store({purged.error().kind, fmt::format("{}: {}", title(one.name), purged.error().message)},
                             session);
      continue;
    }
    one.purged = *purged;
    if (flags.format == Format::text) say_expired(one);
  }
  return code;
}

int run_cache_expire(const ExpireFlags& flags, const Session& session) {
  const Result<FoundCaches> found = find_caches(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  std::vector<Unused> unused;
  int code = find_unused(*found, flags, session, unused);
  if (session.signals.received() != 0) return code;
  if (!unused.empty()) {
    std::vector<std::string> details;
    for (const Unused& one : unused) details.push_back(line_of(one));
    const std::string what = fmt::format("will delete {}, unused for more than {}:", plural(unused.size(), "cache"),
                                         util::human_duration(flags.unused));
    if (const auto refused = declined(flags.yes, what, details, session)) return *refused;
    const int purged = expire(*found, flags, session, unused);
    if (purged != 0) code = purged;
  } else if (flags.format == Format::text) {
    say(fmt::format("no cache was unused for more than {}", util::human_duration(flags.unused)));
  }
  if (flags.format == Format::json) {
    nlohmann::json told = nlohmann::json::array();
    for (const Unused& one : unused) told.push_back(as_json(one));
    say_json({{"version", 1}, {"looked_at", found->names.size()}, {"caches", std::move(told)}});
  }
  return code;
}

}  // namespace

void define_cache_expire(CLI::App& cache, Invocation& invocation) {
  CLI::App* command =
      cache.add_subcommand("expire", "Delete caches that nobody uses: cache expire APP | --all --unused DURATION");
  command->footer(kCacheExpireExamples);
  auto flags = std::make_shared<ExpireFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one_or_all);
  options->duration("--unused", flags->unused, "Neither saved nor restored for longer than this")->default_str("");
  add_yes(*options, flags->yes);
  run_on_caches(*command, invocation, flags, options, run_cache_expire, [](const ExpireFlags& filled) {
    if (filled.unused <= std::chrono::milliseconds(0)) {
      throw UsageError("cache expire needs --unused DURATION, such as 30d");
    }
  });
}

}  // namespace hearth::cli
