// hearth cache gc: deletes what nobody needs any more, without waiting for a save.
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/generations/collect.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheGcExamples = R"(Examples:
  hearth cache gc blog --dry-run
  hearth cache gc --all --store file:///srv/hearth --format json

Saves do the same once a day. An object that no generation needs is moved to the trash when it is a day old, and deleted
when it has been there for an hour (a day where the store has no compare-and-swap), so that no build at work loses
anything: to delete what is garbage now takes two calls, an hour apart. Exit codes: 0 done, 2 usage, 4 APP has no cache,
5 the store failed.)";

struct GcFlags : CacheTarget {
  bool dry_run = false;
};

void show(const cache::Name& name, const cache::SweepReport& report, bool dry_run) {
  say(fmt::format("{}: {}", title(name), amount(report.listed)));
  const std::string would = dry_run ? "would be " : "";
  say(fmt::format("  {}deleted: {}", would, amount(report.deleted)));
  say(fmt::format("  {}moved to the trash: {}", would, amount(report.trashed)));
  if (report.waiting.objects > 0)
    say(fmt::format("  in the trash since less than an hour or so: {}", amount(report.waiting)));
  if (report.young.objects > 0)
    say(fmt::format("  younger than a day, maybe of a save at work: {}", amount(report.young)));
  if (report.left.objects > 0) say(fmt::format("  left for the next time: {}", amount(report.left)));
  if (report.bad > 0) say(fmt::format("  missing or damaged, newly found: {}", plural(report.bad, "object")));
}

nlohmann::json as_json(const cache::Stored& stored) {
  return {{"objects", stored.objects}, {"bytes", stored.bytes}};
}

nlohmann::json as_json(const cache::Name& name, const cache::SweepReport& report) {
  return {{"app", name.app},
          {"stack", name.stack},
          {"arch", name.arch},
          {"listed", as_json(report.listed)},
          {"deleted", as_json(report.deleted)},
          {"trashed", as_json(report.trashed)},
          {"waiting", as_json(report.waiting)},
          {"young", as_json(report.young)},
          {"left", as_json(report.left)},
          {"bad_objects", report.bad}};
}

int run_cache_gc(const GcFlags& flags, const Session& session) {
  const Result<FoundCaches> found = find_caches(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const std::stop_token stop = session.signals.token();
  const cache::Rehearse rehearse = flags.dry_run ? cache::Rehearse::yes : cache::Rehearse::no;
  nlohmann::json told = nlohmann::json::array();
  int code = static_cast<int>(ExitCode::success);
  for (const cache::Name& name : found->names) {
    const cache::Layout layout = cache::Layout::of(name).value();
    const Result<cache::SweepReport> report = cache::sweep(*found->opened.store, layout, rehearse, stop);
    if (!report) {
      // One that is damaged keeps nobody from looking after the others.
      code =
          refuse_of_store({report.error().kind, fmt::format("{}: {}", title(name), report.error().message)}, session);
      if (stop.stop_requested()) break;
      continue;
    }
    if (flags.format == Format::json) {
      told.push_back(as_json(name, *report));
    } else {
      show(name, *report, flags.dry_run);
    }
  }
  if (flags.format == Format::json) {
    say_json({{"version", 1}, {"dry_run", flags.dry_run}, {"caches", std::move(told)}});
  }
  return code;
}

}  // namespace

void define_cache_gc(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("gc", "Delete what nobody needs any more: cache gc APP | --all");
  command->footer(kCacheGcExamples);
  auto flags = std::make_shared<GcFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one_or_all);
  options->flag("--dry-run", flags->dry_run, "Only tell what would be done");
  run_on_caches(*command, invocation, flags, options, run_cache_gc);
}

}  // namespace hearth::cli
