// hearth cache purge: deletes an app's cache, or a part of it.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/generations/collect.h"
#include "cache/operator/purge_path.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/ignore_rules.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCachePurgeExamples = R"(Examples:
  hearth cache purge blog
  hearth cache purge blog --all-stacks --yes
  hearth cache purge blog --path node_modules --yes
  hearth cache purge blog --path '**/*.log' --yes --format json

Without --path everything goes, pinned generations too. With it, the newest generation is replaced by one without what
GLOB names, and the older ones that have any of it go. GLOB is a path from the top of the cached directory, with the
wildcards *, ?, [...] and **; a directory goes with all that lies in it. Builds that are at work save nothing that was
purged. Exit codes: 0 done, or nothing to do, 1 declined, 2 usage, 4 there is no such cache, 5 the store failed.)";

// Paths that are named before they go, so that a page is enough.
constexpr std::size_t kNamedPaths = 10;

struct PurgeFlags : CacheTarget {
  std::optional<std::string> path;
  bool all_stacks = false;
  bool yes = false;
};

template <class Caches, class GetName>
Result<void> only_one(const PurgeFlags& flags, const Caches& caches, GetName name_of) {
  if (flags.all_stacks || caches.size() < 2) return {};
  std::string names;
  for (const auto& one : caches) {
    const cache::Name& name = name_of(one);
    names += fmt::format("{}{}-{}", names.empty() ? "" : ", ", name.stack, name.arch);
  }
  return fail(ErrorKind::invalid, "{} has several caches: choose with --stack and --arch among {}, or --all-stacks",
              flags.app, names);
}

// --- everything

nlohmann::json as_json(const cache::Name& name, const cache::PurgeReport& report) {
  return {{"app", name.app},
          {"stack", name.stack},
          {"arch", name.arch},
          {"deleted_objects", report.deleted},
          {"deleted_bytes", report.bytes}};
}

int purge_whole(store::ObjectStore& store, const PurgeFlags& flags, const Session& session) {
  const std::stop_token stop = session.signals.token();
  Result<std::vector<cache::StoredCache>> caches = cache::measure_caches(store, flags.app, stop);
  if (!caches) return refuse_of_store(caches.error(), session);
  std::erase_if(*caches, [&](const cache::StoredCache& cache) { return !is_meant(flags, cache.name); });
  if (caches->empty()) return refuse(no_cache(flags, store), session);
  const Result<void> chosen = only_one(flags, *caches, [](const auto& cache) -> auto& { return cache.name; });
  if (!chosen) return refuse(chosen.error(), session);
  std::vector<std::string> details;
  for (const cache::StoredCache& cache : *caches) {
    details.push_back(fmt::format("{}: {}{}", title(cache.name), amount(cache.objects),
                                  cache.has_head ? "" : ", left over from an earlier purge"));
  }
  if (const auto code =
          declined(flags.yes, fmt::format("will delete the whole cache of {}", flags.app), details, session)) {
    return *code;
  }
  nlohmann::json told = nlohmann::json::array();
  int code = static_cast<int>(ExitCode::success);
  for (const cache::StoredCache& cache : *caches) {
    const Result<cache::Layout> layout = cache::Layout::of(cache.name);
    const Result<cache::PurgeReport> report =
        layout ? cache::purge(store, *layout, stop) : std::unexpected(layout.error());
    if (!report) {
      code = refuse_of_store({report.error().kind, fmt::format("{}: {}", title(cache.name), report.error().message)},
                             session);
      continue;
    }
    if (flags.format == Format::json) {
      told.push_back(as_json(cache.name, *report));
    } else {
      say(fmt::format("{}: purged, {} deleted", title(cache.name), amount({report->deleted, report->bytes})));
    }
  }
  if (flags.format == Format::json) say_json({{"version", 1}, {"caches", std::move(told)}});
  return code;
}

// --- a part

cache::Chosen chosen_by(const std::string& glob) {
  std::string_view pattern = glob;
  while (pattern.starts_with("./")) pattern.remove_prefix(2);
  // From the top, whether or not a slash is in it.
  const auto rules =
      std::make_shared<util::IgnoreRules>(pattern.starts_with('/') ? std::string(pattern) : "/" + std::string(pattern));
  return [rules](const cache::Entry& entry) {
    const bool directory = entry.kind == cache::EntryKind::directory;
    return rules->match(entry.path.text(), directory ? util::PathKind::directory : util::PathKind::other);
  };
}

std::vector<std::string> details_of(const cache::PathPurgeReport& report) {
  std::vector<std::string> details;
  const std::size_t named = std::min(report.paths.size(), kNamedPaths);
  for (std::size_t i = 0; i < named; ++i) details.push_back(util::shown(report.paths[i]));
  if (named < report.paths.size()) details.push_back(fmt::format("and {} more", report.paths.size() - named));
  for (const cache::DroppedGeneration& dropped : report.dropped) {
    details.push_back(dropped.readable
                          ? fmt::format("generation {}: {} of it{}", dropped.id, plural(dropped.entries, "name"),
                                        dropped.pinned ? "; it is pinned" : "")
                          : fmt::format("generation {}: all of it, since it cannot be read", dropped.id));
  }
  return details;
}

nlohmann::json as_json(const cache::Name& name, const cache::PathPurgeReport& report) {
  nlohmann::json dropped = nlohmann::json::array();
  for (const cache::DroppedGeneration& one : report.dropped) {
    dropped.push_back({{"id", one.id},
                       {"pinned", one.pinned},
                       {"readable", one.readable},
                       {"entries", one.entries},
                       {"bytes", one.bytes}});
  }
  return {{"app", name.app},
          {"stack", name.stack},
          {"arch", name.arch},
          {"generation", report.generation},
          {"paths", report.paths},
          {"dropped", std::move(dropped)},
          {"trashed_objects", report.trashed.objects},
          {"trashed_bytes", report.trashed.bytes},
          {"uploaded_bytes", report.uploaded_bytes}};
}

void show(const cache::Name& name, const cache::PathPurgeReport& report) {
  if (report.dropped.empty()) {
    say(fmt::format("{}: nothing of it is named so", title(name)));
    return;
  }
  const std::string newest =
      report.generation.empty() ? "" : fmt::format("; generation {} is the newest now", report.generation);
  say(fmt::format("{}: purged {} of {}{}", title(name), plural(report.paths.size(), "path"),
                  plural(report.dropped.size(), "generation"), newest));
  say(fmt::format("  {} are needed no more; they are deleted after an hour or more, by a save or by cache gc",
                  amount(report.trashed)));
}

// Absent: go on.
std::optional<int> declined_path(const PurgeFlags& flags, const cache::Name& name, const cache::PathPurgeReport& report,
                                 const Session& session) {
  if (report.dropped.empty()) return std::nullopt;
  const std::string what =
      fmt::format("will purge {} from the cache of {}, from all its generations", *flags.path, title(name));
  return declined(flags.yes, what, details_of(report), session);
}

// What became of one cache of those that are purged.
struct PurgedPart {
  std::optional<cache::PathPurgeReport> report;  // absent: it was not
  bool declined = false;                         // by whoever was asked
  int code = 0;
};

PurgedPart purge_part_of(store::ObjectStore& store, const PurgeFlags& flags, const cache::Name& name,
                         const Session& session) {
  const std::stop_token stop = session.signals.token();
  const cache::Layout layout = cache::Layout::of(name).value();
  const cache::Chosen chosen = chosen_by(*flags.path);
  const auto refused = [&](const Error& error) {
    const int code = refuse_of_store({error.kind, fmt::format("{}: {}", title(name), error.message)}, session);
    return PurgedPart{.report = std::nullopt, .declined = false, .code = code};
  };
  const auto before = cache::purge_path(store, layout, chosen, cache::Rehearse::yes, stop);
  if (!before) return refused(before.error());
  if (const auto code = declined_path(flags, name, *before, session)) {
    return {.report = std::nullopt, .declined = true, .code = *code};
  }
  auto report = cache::purge_path(store, layout, chosen, cache::Rehearse::no, stop);
  if (!report) return refused(report.error());
  return {.report = std::move(*report), .declined = false, .code = static_cast<int>(ExitCode::success)};
}

// One that cannot be purged is no reason to leave the others, nor to tell nothing of them.
int purge_part(store::ObjectStore& store, const PurgeFlags& flags, const std::vector<cache::Name>& names,
               const Session& session) {
  nlohmann::json told = nlohmann::json::array();
  int code = static_cast<int>(ExitCode::success);
  bool declined = false;
  for (const cache::Name& name : names) {
    const PurgedPart part = purge_part_of(store, flags, name, session);
    if (part.code != static_cast<int>(ExitCode::success)) code = part.code;
    declined = part.declined;
    if (declined) break;
    if (!part.report) continue;
    if (flags.format == Format::json) {
      told.push_back(as_json(name, *part.report));
    } else {
      show(name, *part.report);
    }
  }
  const bool is_nothing = declined && told.empty();
  if (flags.format == Format::json && !is_nothing) say_json({{"version", 1}, {"caches", std::move(told)}});
  return code;
}

int run_cache_purge(const PurgeFlags& flags, const Session& session) {
  if (!flags.path) {
    const Result<store::OpenStore> opened = open_store(flags.store);
    if (!opened) return refuse_of_store(opened.error(), session);
    return purge_whole(*opened->store, flags, session);
  }
  const Result<FoundCaches> found = find_caches(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const Result<void> chosen = only_one(flags, found->names, [](const auto& name) -> auto& { return name; });
  if (!chosen) return refuse(chosen.error(), session);
  return purge_part(*found->opened.store, flags, found->names, session);
}

void check(const PurgeFlags& flags) {
  if (!flags.path) return;
  if (flags.path->find_first_not_of("/. ") == std::string::npos || flags.path->contains('\n')) {
    throw UsageError("cache purge --path needs a GLOB, such as node_modules or '**/*.log'; everything goes without it");
  }
}

}  // namespace

void define_cache_purge(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("purge", "Delete a cache, or a part of it: cache purge APP [--path GLOB]");
  command->footer(kCachePurgeExamples);
  auto flags = std::make_shared<PurgeFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  auto path = std::make_shared<std::string>();
  CLI::Option* given =
      options->text("--path", *path, "Only what this names in the cached directory")->type_name("GLOB");
  options->flag("--all-stacks", flags->all_stacks, "The caches of all stacks and architectures of the app");
  add_yes(*options, flags->yes);
  run_on_caches(*command, invocation, flags, options, run_cache_purge, [path, given](PurgeFlags& filled) {
    if (given->count() > 0) filled.path = *path;
    check(filled);
  });
}

}  // namespace hearth::cli
