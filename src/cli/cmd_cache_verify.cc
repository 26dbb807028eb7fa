// hearth cache verify: reads a cache, or all of them, and tells what is damaged.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/operator/verify.h"
#include "cli/cache_repair.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/screen.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheVerifyExamples = R"(Examples:
  hearth cache verify blog
  hearth cache verify --all --store file:///srv/hearth --format json
  hearth cache verify blog --repair node_modules

Exit codes: 0 everything is as it should be, 1 something is damaged, 2 usage, 4 there is no such cache, 5 not everything
could be read. A damaged cache needs no repair: a restore takes an older generation, or starts cold, and the next save
stores anew what is damaged. --repair makes it whole at once, where DIR still has what was saved.)";

// Files that are named of a damaged generation, so that a page is enough.
constexpr std::size_t kNamedFiles = 10;

struct VerifyFlags : CacheTarget {
  std::uint32_t threads = 0;
  std::string repair;  // the directory to mend from; empty: change nothing
};

void show(const cache::Name& name, const cache::VerifyReport& report) {
  switch (report.outcome) {
    case cache::VerifyOutcome::sound:
      say(fmt::format("{}: sound: {}, {}, {} read", title(name), plural(report.generations, "generation"),
                      plural(report.objects, "object"), util::human_size(report.read_bytes)));
      return;
    case cache::VerifyOutcome::absent:
      say(fmt::format("{}: gone meanwhile", title(name)));
      return;
    case cache::VerifyOutcome::unavailable:
      complain(fmt::format("{}: not everything could be read: {}", title(name), report.error->message));
      return;
    case cache::VerifyOutcome::damaged:
      break;
  }
  say(fmt::format("{}: DAMAGED: {} of {}", title(name), report.damaged_objects.size(),
                  plural(report.objects, "object")));
  for (const cache::DamagedObject& object : report.damaged_objects) {
    say(fmt::format("  {}: {}", object.object, object.problem));
  }
  for (const cache::DamagedGeneration& generation : report.damaged_generations) {
    if (generation.whole) {
      say(fmt::format("  generation {}: nothing of it can be restored", generation.id));
      continue;
    }
    say(fmt::format("  generation {}: {} affected", generation.id, plural(generation.files.size(), "file")));
    const std::size_t named = std::min(generation.files.size(), kNamedFiles);
    for (std::size_t i = 0; i < named; ++i) say(fmt::format("    {}", util::shown(generation.files[i])));
    if (named < generation.files.size()) say(fmt::format("    and {} more", generation.files.size() - named));
  }
}

nlohmann::json as_json(const cache::Name& name, const cache::VerifyReport& report) {
  nlohmann::json objects = nlohmann::json::array();
  for (const cache::DamagedObject& object : report.damaged_objects) {
    objects.push_back({{"object", object.object}, {"problem", object.problem}});
  }
  nlohmann::json generations = nlohmann::json::array();
  for (const cache::DamagedGeneration& generation : report.damaged_generations) {
    generations.push_back({{"id", generation.id}, {"whole", generation.whole}, {"files", generation.files}});
  }
  return {{"app", name.app},
          {"stack", name.stack},
          {"arch", name.arch},
          {"outcome", cache::name(report.outcome)},
          {"error", report.error ? nlohmann::json(report.error->message) : nlohmann::json()},
          {"generations", report.generations},
          {"objects", report.objects},
          {"read_bytes", report.read_bytes},
          {"damaged_objects", std::move(objects)},
          {"damaged_generations", std::move(generations)}};
}

// What could not be read weighs more than what is damaged: the answer is not complete.
int code_of(const std::vector<cache::VerifyReport>& reports, const Session& session) {
  for (const cache::VerifyReport& report : reports) {
    if (report.error) return store_exit_code(*report.error, session);
  }
  const bool damaged = std::ranges::any_of(
      reports, [](const cache::VerifyReport& report) { return report.outcome == cache::VerifyOutcome::damaged; });
  return static_cast<int>(damaged ? ExitCode::app_failed : ExitCode::success);
}

int run_cache_verify(const VerifyFlags& flags, const Session& session) {
  if (!flags.repair.empty()) return repair_cache(flags, flags.repair, flags.threads, session);
  // What the store has is to be proved, not what a tier has.
  CacheTarget direct = flags;
  direct.store.tier.clear();
  const Result<FoundCaches> found = find_caches(direct, session);
  if (!found) return refuse_of_store(found.error(), session);
  store::ObjectStore& store = *found->opened.store;
  const std::stop_token stop = session.signals.token();
  const std::shared_ptr<Screen> screen = Screen::of(session.environment, session.signals.token());
  std::vector<cache::VerifyReport> reports;
  nlohmann::json json = nlohmann::json::array();
  for (const cache::Name& name : found->names) {
    const auto progress = std::make_shared<util::Progress>();
    std::shared_ptr<void> shown = screen->show("verifying " + title(name), progress);
    reports.push_back(cache::verify(store, name, flags.threads, stop, progress.get()));
    shown.reset();
    if (flags.format == Format::json) {
      json.push_back(as_json(name, reports.back()));
    } else {
      show(name, reports.back());
    }
    if (stop.stop_requested()) break;
  }
  if (flags.format == Format::json) {
    say_json({{"version", 1}, {"caches", std::move(json)}});
  }
  return code_of(reports, session);
}

}  // namespace

void define_cache_verify(CLI::App& cache, Invocation& invocation) {
  CLI::App* command =
      cache.add_subcommand("verify", "Read a cache, and tell what is damaged: cache verify APP | --all");
  command->footer(kCacheVerifyExamples);
  auto flags = std::make_shared<VerifyFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one_or_all);
  options->number("--threads", flags->threads, "Objects that are read at the same time (0: one per core)");
  const CLI::Option* repair =
      options->path("--repair", flags->repair, "Mend what is damaged, with content of this directory");
  run_on_caches(*command, invocation, flags, options, run_cache_verify, [repair](const VerifyFlags& filled) {
    if (repair->count() > 0 && filled.repair.empty()) throw UsageError("cache verify --repair needs a directory");
    if (filled.all && !filled.repair.empty()) throw UsageError("cache verify --repair mends the cache of one APP");
  });
}

}  // namespace hearth::cli
