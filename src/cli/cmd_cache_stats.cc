// hearth cache stats: what the caches of an app, or of all, are worth.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "build/worth.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheStatsExamples = R"(Examples:
  hearth cache stats blog
  hearth cache stats --all --store file:///srv/hearth --format json

Of the builds that the store remembers of an app, some hundred: how often the cache was there, what its restores and
saves took and moved, and how much faster builds were that compiled with it than those that did without.
Exit codes: 0 told, 2 usage, 4 no builds of this app are remembered, 5 the store failed.)";

using build::CacheStats;
using build::Seconds;

// So many builds fit on a line of a terminal, with what stands before them.
constexpr std::size_t kDrawn = 60;

std::string shown(Seconds seconds) {
  const auto size = std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(std::abs(seconds.count())));
  return (seconds.count() < 0 ? "-" : "") + util::human_duration(size);
}

std::string shown(const std::optional<Seconds>& seconds) {
  return seconds ? shown(*seconds) : "-";
}

// A bar a build, the slowest the highest.
std::string sparkline(std::span<const Seconds> times) {
  static constexpr std::array kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::span<const Seconds> last = times.last(std::min(times.size(), kDrawn));
  const Seconds most = last.empty() ? Seconds() : *std::ranges::max_element(last);
  std::string line;
  for (const Seconds time : last) {
    const double share = most.count() > 0 ? time / most : 0;
    line += kBars.at(static_cast<std::size_t>(std::lround(share * (kBars.size() - 1))));
  }
  return line;
}

std::string hit_rate(const CacheStats& stats) {
  if (stats.restores == 0) return "- (no build waited for a restore)";
  return fmt::format("{} % ({} of {})", stats.hits * 100 / stats.restores, stats.hits,
                     plural(stats.restores, "restore"));
}

std::string saved(const CacheStats& stats) {
  if (!stats.saved_per_build) return "- (it takes a build that compiled with the cache, and one that did without)";
  return fmt::format("{} a build, {} in sum over {}", shown(*stats.saved_per_build), shown(stats.saved_in_sum),
                     plural(stats.saved.size(), "build"));
}

void show(const cache::Name& name, const CacheStats& stats) {
  const auto line = [](std::string_view what, const std::string& text) { say(fmt::format("  {:<9} {}", what, text)); };
  say(fmt::format("{} ({}, {})", name.app, name.stack, name.arch));
  line("builds", fmt::format("{}, of which {} succeeded", stats.builds, stats.succeeded));
  line("hit rate", hit_rate(stats));
  line("restore", fmt::format("{}, of which builds waited {}; {} fetched in sum", shown(stats.restore_time),
                              shown(stats.waited), util::human_size(stats.fetched_bytes)));
  line("save", fmt::format("{}; {} uploaded in sum", shown(stats.save_time), util::human_size(stats.uploaded_bytes)));
  line("compile", fmt::format("{} warm, {} cold", shown(stats.warm_compile), shown(stats.cold_compile)));
  line("saved", saved(stats));
  if (::isatty(STDOUT_FILENO) != 0) line("builds", sparkline(stats.until_compiled) + "  until compiled");
}

nlohmann::json number(const std::optional<Seconds>& seconds) {
  if (!seconds) return nullptr;
  return std::round(seconds->count() * 1000) / 1000;
}

nlohmann::json as_json(const cache::Name& name, const CacheStats& stats) {
  nlohmann::json builds = nlohmann::json::array();
  for (const CacheStats::Saved& one : stats.saved) {
    builds.push_back({{"build", one.build}, {"seconds", number(one.seconds)}});
  }
  const auto rate = static_cast<double>(stats.hits) / static_cast<double>(std::max(stats.restores, std::uint64_t{1}));
  return {{"app", name.app},
          {"stack", name.stack},
          {"arch", name.arch},
          {"builds", stats.builds},
          {"succeeded", stats.succeeded},
          {"restores", stats.restores},
          {"hits", stats.hits},
          {"hit_rate", stats.restores == 0 ? nlohmann::json() : nlohmann::json(rate)},
          {"restore_seconds", number(stats.restore_time)},
          {"waited_seconds", number(stats.waited)},
          {"fetched_bytes", stats.fetched_bytes},
          {"saves", stats.saves},
          {"save_seconds", number(stats.save_time)},
          {"uploaded_bytes", stats.uploaded_bytes},
          {"cold_compile_seconds", number(stats.cold_compile)},
          {"warm_compile_seconds", number(stats.warm_compile)},
          {"saved_seconds_per_build", number(stats.saved_per_build)},
          {"saved_seconds", stats.saved_per_build ? number(stats.saved_in_sum) : nlohmann::json()},
          {"saved_of_builds", std::move(builds)}};
}

struct Told {
  cache::Name name;
  CacheStats stats;
};

// Of each cache of the app that is meant.
std::vector<Told> stats_of(const std::string& app, const build::History& history, const CacheTarget& target) {
  std::set<std::pair<std::string, std::string>> caches;
  for (const build::PastBuild& past : history) {
    const bool meant =
        (target.stack.empty() || past.stack == target.stack) && (target.arch.empty() || past.arch == target.arch);
    if (meant) caches.emplace(past.stack, past.arch);
  }
  std::vector<Told> told;
  for (const auto& [stack, arch] : caches) {
    told.push_back({{app, stack, arch}, build::stats_of(build::of_cache(history, stack, arch))});
  }
  return told;
}

Result<std::vector<Told>> collect(const CacheTarget& target, const Session& session) {
  const store::OpenStore opened = TRY(open_store(target.store));
  const std::stop_token stop = session.signals.token();
  std::vector<std::string> apps = {target.app};
  if (target.all) apps = TRY(build::apps_with_history(*opened.store, stop));
  std::vector<Told> all;
  for (const std::string& app : apps) {
    const build::KnownHistory known = TRY(build::read_history(*opened.store, app, stop));
    for (Told& told : stats_of(app, known.history, target)) all.push_back(std::move(told));
  }
  if (all.empty() && !target.all) {
    return fail(ErrorKind::not_found, "no builds of {} are remembered in {}", target.app, opened.store->description());
  }
  return all;
}

int run_cache_stats(const CacheTarget& target, const Session& session) {
  const Result<std::vector<Told>> all = collect(target, session);
  if (!all) return refuse_of_store(all.error(), session);
  if (target.format == Format::text) {
    for (const Told& told : *all) show(told.name, told.stats);
    return static_cast<int>(ExitCode::success);
  }
  nlohmann::json caches = nlohmann::json::array();
  for (const Told& told : *all) caches.push_back(as_json(told.name, told.stats));
  say_json({{"version", 1}, {"caches", std::move(caches)}});
  return static_cast<int>(ExitCode::success);
}

}  // namespace

void define_cache_stats(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("stats", "Tell what a cache is worth: cache stats APP | --all");
  command->footer(kCacheStatsExamples);
  auto target = std::make_shared<CacheTarget>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *target, Apps::one_or_all);
  run_on_caches(*command, invocation, target, options, run_cache_stats);
}

}  // namespace hearth::cli
