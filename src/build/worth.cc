#include "build/worth.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::build {

namespace {

std::optional<Seconds> median(std::vector<Seconds> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// Of values that are oldest first.
std::optional<Seconds> recent_median(const std::vector<Seconds>& values, std::size_t count) {
  const std::size_t first = values.size() - std::min(values.size(), count);
  return median({values.begin() + static_cast<std::ptrdiff_t>(first), values.end()});
}

bool is_hit(const PastBuild& build) {
  return build.restore == "hit" || build.restore == "fallback";
}

bool was_restored(const PastBuild& build) {
  return is_hit(build) || build.restore == "miss" || build.restore == "damaged" || build.restore == "unavailable" ||
         build.restore == "late";
}

bool was_saved(const PastBuild& build) {
  return build.save == "saved" || build.save == "unchanged" || build.save == "quarantined";
}

Seconds until_compiled(const PastBuild& build) {
  return build.waited + build.compile_time;
}

bool succeeded_with(const PastBuild& build, Temperature temperature) {
  return build.succeeded && build.compiled == temperature;
}

template <class Wanted, class Value>
std::vector<Seconds> collect(const History& builds, Wanted wanted, Value value) {
  std::vector<Seconds> values;
  for (const PastBuild& build : builds) {
    if (wanted(build)) values.push_back(value(build));
  }
  return values;
}

std::vector<Seconds> compile_times(const History& builds, Temperature temperature) {
  return collect(
      builds, [&](const PastBuild& build) { return succeeded_with(build, temperature); },
      [](const PastBuild& build) { return build.compile_time; });
}

void count(CacheStats& stats, const PastBuild& build) {
  ++stats.builds;
  if (build.succeeded) ++stats.succeeded;
  if (was_restored(build)) ++stats.restores;
  if (is_hit(build)) ++stats.hits;
  if (was_saved(build)) ++stats.saves;
  stats.fetched_bytes += build.fetched_bytes;
  stats.uploaded_bytes += build.uploaded_bytes;
  if (build.succeeded && build.compiled != Temperature::none) stats.until_compiled.push_back(until_compiled(build));
}

void compare(CacheStats& stats, const History& builds) {
  if (!stats.cold_compile) return;
  for (const PastBuild& build : builds) {
    if (succeeded_with(build, Temperature::warm)) {
      stats.saved.push_back({build.build, *stats.cold_compile - until_compiled(build)});
      stats.saved_in_sum += stats.saved.back().seconds;
    }
  }
  if (!stats.saved.empty()) stats.saved_per_build = stats.saved_in_sum / static_cast<double>(stats.saved.size());
}

// How many builds did without the cache since one last used it.
std::size_t skipped_since(const History& builds) {
  std::size_t skipped = 0;
  for (auto build = builds.rbegin(); build != builds.rend() && !is_hit(*build); ++build) {
    if (build->restore == "skipped") ++skipped;
  }
  return skipped;
}

}  // namespace

CacheStats stats_of(const History& of_cache) {
  CacheStats stats;
  for (const PastBuild& build : of_cache) count(stats, build);
  stats.restore_time =
      recent_median(collect(of_cache, is_hit, [](const PastBuild& build) { return build.restore_time; }), kSamples);
  stats.waited =
      recent_median(collect(of_cache, is_hit, [](const PastBuild& build) { return build.waited; }), kSamples);
  stats.save_time =
      recent_median(collect(of_cache, was_saved, [](const PastBuild& build) { return build.save_time; }), kSamples);
  stats.cold_compile = recent_median(compile_times(of_cache, Temperature::cold), kSamples);
  stats.warm_compile = recent_median(compile_times(of_cache, Temperature::warm), kSamples);
  compare(stats, of_cache);
  return stats;
}

Judgement judge(const History& of_cache) {
  const std::vector<Seconds> warm = collect(
      of_cache, [](const PastBuild& build) { return succeeded_with(build, Temperature::warm); }, until_compiled);
  const std::optional<Seconds> cold = recent_median(compile_times(of_cache, Temperature::cold), kSamples);
  if (!cold || warm.size() < kEnough) return {};
  const Seconds usual = *recent_median(warm, kEnough);
  const Seconds limit = *cold + std::max(kMargin, *cold / 10);
  if (usual <= limit || warm.back() <= limit) return {};
  const auto shown = [](Seconds seconds) {
    return util::human_duration(std::chrono::duration_cast<std::chrono::milliseconds>(seconds));
  };
  const std::string comparison =
      fmt::format("builds take {} with it until they are compiled, and {} without", shown(usual), shown(*cold));
  if (skipped_since(of_cache) >= kSkipped) return {true, fmt::format("The cache is tried again: {}", comparison)};
  return {false, fmt::format("The cache is skipped, since it costs more than it saves: {}", comparison)};
}

}  // namespace hearth::build
