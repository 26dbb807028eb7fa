#include "build/stored_builds.h"

#include <algorithm>
#include <atomic>
#include <ranges>
#include <set>

#include "build/report.h"
#include "cache/tree/parallel.h"

namespace hearth::build {

namespace {

// Of reports that are fetched at the same time; they are small.
constexpr unsigned kThreads = 8;
// What a builder may take from its last object to its report: more than any publish and any save.
constexpr std::chrono::hours kAtWork{24};

Result<StoredBuild> tell(store::ObjectStore& store, const BuildFolders::value_type& folder,
                         const std::stop_token& stop) {
  const auto& [name, files] = folder;
  StoredBuild told;
  told.build = name;
  told.time = time_of_build(name);
  told.report = TRY(report_text(store, files, stop));
  told.state = state_of(files, told.report);
  told.objects = files.size();
  for (const auto& [file, info] : files) told.bytes += info.size;
  if (const auto slug = files.find(kSlugName); slug != files.end()) told.slug_bytes = slug->second.size;
  return told;
}

bool may_be_at_work(const BuildFiles& files) {
  if (files.contains(kReportName)) return false;
  return std::ranges::any_of(files, [](const auto& file) { return file.second.now - file.second.modified < kAtWork; });
}

// The newest that succeeded for certain, and the newest that succeeded as far as one can know without its report.
Result<std::set<std::string, std::less<>>> needed_builds(store::ObjectStore& store, const BuildFolders& folders,
                                                         std::string_view own, const std::stop_token& stop) {
  std::set<std::string, std::less<>> needed;
  for (const auto& [build, files] : folders | std::views::reverse) {
    if (build == own) {
      needed.insert(build);
      break;
    }
    if (!is_published(files)) continue;
    const std::string report = TRY(report_text(store, files, stop));
    if (state_of(files, report) != BuildState::succeeded) continue;
    if (report.empty() && !needed.empty()) continue;
    needed.insert(build);
    if (!report.empty()) break;
  }
  return needed;
}

bool is_meant(std::string_view build, std::string_view text) {
  const std::size_t id = build.find('-');
  return build.starts_with(text) || (id != std::string_view::npos && build.substr(id + 1).starts_with(text));
}

}  // namespace

std::string_view name(BuildState state) {
  switch (state) {
    case BuildState::succeeded:
      return "succeeded";
    case BuildState::failed:
      return "failed";
    case BuildState::unfinished:
      return "unfinished";
  }
  return "unfinished";
}

BuildState state_of(const BuildFiles& files, const std::string& report) {
  if (!report.empty()) {
    const Result<StoredReport> parsed = parse_report(report);
    if (parsed && !parsed->succeeded) return BuildState::failed;
  }
  return is_published(files) ? BuildState::succeeded : BuildState::unfinished;
}

Result<std::string> report_text(store::ObjectStore& store, const BuildFiles& files, const std::stop_token& stop) {
  const auto found = files.find(kReportName);
  if (found == files.end()) return std::string();
  Result<std::string> text = get_text(store, found->second.key, stop);
  if (!text && text.error().kind == ErrorKind::not_found) return std::string();
  return text;
}

Result<std::vector<StoredBuild>> stored_builds(store::ObjectStore& store, std::string_view app,
                                               const std::stop_token& stop) {
  const BuildFolders folders = TRY(list_builds(store, app, stop));
  std::vector<const BuildFolders::value_type*> newest_first;
  for (const BuildFolders::value_type& folder : folders | std::views::reverse) newest_first.push_back(&folder);
  std::vector<StoredBuild> told(newest_first.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&](const std::stop_token& token) -> Result<void> {
    for (std::size_t index = next++; index < told.size(); index = next++) {
      told[index] = TRY(tell(store, *newest_first[index], token));
    }
    return {};
  };
  const auto threads = static_cast<unsigned>(std::clamp<std::size_t>(told.size(), 1, kThreads));
  TRY(cache::in_parallel(threads, stop, work));
  return told;
}

Result<StoredBuild> stored_build(store::ObjectStore& store, const BuildFolders& folders, const std::string& build,
                                 const std::stop_token& stop) {
  const auto found = folders.find(build);
  if (found == folders.end()) return fail(ErrorKind::not_found, "there is no build {}", build);
  return tell(store, *found, stop);
}

Result<std::string> choose_build(const BuildFolders& folders, std::string_view app, std::string_view text) {
  if (folders.contains(text)) return std::string(text);
  std::vector<std::string> meant;
  for (const auto& [build, files] : folders) {
    if (!text.empty() && is_meant(build, text)) meant.push_back(build);
  }
  if (meant.size() == 1) return meant.front();
  if (meant.empty()) {
    return fail(ErrorKind::not_found, "{} has no build {}: hearth builds ls {} lists them", app, text, app);
  }
  std::string names;
  for (const std::string& build : meant) names += (names.empty() ? "" : ", ") + build;
  return fail(ErrorKind::invalid, "several builds of {} begin with {}: {}", app, text, names);
}

Result<std::optional<std::string>> newest_succeeded(store::ObjectStore& store, const BuildFolders& folders,
                                                    const std::stop_token& stop) {
  for (const auto& [build, files] : folders | std::views::reverse) {
    if (!is_published(files)) continue;
    const std::string report = TRY(report_text(store, files, stop));
    if (state_of(files, report) == BuildState::succeeded) return build;
  }
  return std::nullopt;
}

Result<BuildRemoval> remove_builds(store::ObjectStore& store, const BuildFolders& folders,
                                   std::span<const std::string> builds, const std::stop_token& stop) {
  BuildRemoval removal;
  std::vector<store::Key> first;
  std::vector<store::Key> rest;
  for (const std::string& build : builds) {
    const auto found = folders.find(build);
    if (found == folders.end()) continue;
    removal.builds.push_back(build);
    for (const auto& [file, info] : found->second) {
      (file == kProcfileName ? first : rest).push_back(info.key);
      removal.bytes += info.size;
      ++removal.objects;
    }
  }
  std::ranges::sort(removal.builds);
  if (!first.empty()) TRY(store.remove_each(first, stop));
  if (!rest.empty()) TRY(store.remove_each(rest, stop));
  return removal;
}

Result<std::vector<std::string>> builds_beyond(store::ObjectStore& store, const BuildFolders& folders, std::size_t keep,
                                               std::string_view own, const std::stop_token& stop) {
  std::vector<std::string> beyond;
  if (folders.size() <= keep) return beyond;
  const std::set<std::string, std::less<>> needed = TRY(needed_builds(store, folders, own, stop));
  for (const auto& [build, files] : folders | std::views::reverse | std::views::drop(keep)) {
    if (!needed.contains(build) && !may_be_at_work(files)) beyond.push_back(build);
  }
  return beyond;
}

Result<BuildRemoval> keep_newest(store::ObjectStore& store, std::string_view app, std::size_t keep,
                                 std::string_view own, const std::stop_token& stop) {
  const BuildFolders folders = TRY(list_builds(store, app, stop));
  const std::vector<std::string> beyond = TRY(builds_beyond(store, folders, keep, own, stop));
  return remove_builds(store, folders, beyond, stop);
}

}  // namespace hearth::build
