#include "build/saving.h"

#include <sys/stat.h>
#include <unistd.h>

#include "build/kept_caches.h"
#include "util/plural.h"
#include "util/text.h"

namespace hearth::build {

namespace {

std::string description(const CacheSaveReport& save) {
  return fmt::format("{}, {}; {} added, {} changed, {} removed; {} uploaded in {}", util::plural(save.entries, "entry"),
                     util::human_size(save.bytes), save.added, save.changed, save.removed,
                     util::human_size(save.uploaded_bytes), util::plural(save.uploaded_objects, "object")) +
         (save.left_out == 0 ? "" : fmt::format("; {} left out", save.left_out));
}

// Buildpacks remove CACHE_DIR, or put a link in its place: a cache without entries then.
bool make_readable(const std::filesystem::path& cache, Log& log) {
  struct stat status{};
  const bool found = ::lstat(cache.c_str(), &status) == 0;
  if (found && S_ISDIR(status.st_mode)) return true;
  if (found) {
    log.warning("A buildpack put something else in the place of CACHE_DIR: it counts as empty");
    if (::unlink(cache.c_str()) != 0) return false;
  }
  return ::mkdir(cache.c_str(), 0755) == 0;
}

cache::SaveReport run(store::ObjectStore& store, const SaveRequest& request, const WorkDir& work,
                      const std::stop_token& stop) {
  std::vector<std::string> warnings;
  if (!request.culprit.empty()) {
    const Result<void> aside = cache::set_aside(store, request.name, request.culprit, stop);
    if (!aside) {
      warnings.push_back(
          fmt::format("generation {} could not be set aside: {}", request.culprit, aside.error().message));
    }
  }
  cache::SaveOptions options = request.options;
  options.exclude = util::IgnoreRules(request.exclude);
  cache::SaveReport report = cache::save(store, request.name, work.cache(), work.own() / "index", options, stop);
  report.warnings.insert(report.warnings.begin(), warnings.begin(), warnings.end());
  return report;
}

CacheSaveReport report_of(const cache::SaveReport& saved, cache::SaveAs as) {
  CacheSaveReport report = build::report_of(saved);
  if (saved.outcome == cache::SaveOutcome::saved && as == cache::SaveAs::failed) report.outcome = "quarantined";
  return report;
}

void tell(const CacheSaveReport& save, const SaveRequest& request, const std::string& lateness, Log& log) {
  if (save.outcome == "saved") log.line("Saved " + description(save));
  if (save.outcome == "quarantined") {
    log.line("Kept aside for --cache-from-failed: " + description(save));
  }
  if (save.outcome == "unchanged") log.line("Cache unchanged, not updating");
  if (save.trimmed_files > 0) {
    log.line(fmt::format("Left out {} file{}, {}, unused for longest: the cache may have {} (--max-size)",
                         save.trimmed_files, save.trimmed_files == 1 ? "" : "s", util::human_size(save.trimmed_bytes),
                         util::human_size(request.options.max_bytes)));
  }
  if (save.outcome == "superseded") log.line("Not saved: the cache was purged or replaced meanwhile");
  if (save.outcome == "failed") log.warning("The cache was not saved; the old one stays");
  if (save.outcome == "late") log.warning(fmt::format("Saving the cache {}; the old one stays", lateness));
}

}  // namespace

Saved save_cache(const std::shared_ptr<store::ObjectStore>& store, const std::shared_ptr<const store::Meter>& meter,
                 const std::shared_ptr<WorkDir>& work, const SaveRequest& request, Log& log,
                 const std::stop_token& stop) {
  Saved saved;
  saved.start = std::chrono::steady_clock::now();
  cache::SaveReport report;
  std::string lateness;
  if (make_readable(work->cache(), log)) {
    const auto transfer = [work, request](store::ObjectStore& watched, const std::stop_token& token) {
      return run(watched, request, *work, token);
    };
    ReportingTransfer<cache::SaveReport> save(store, meter, request.limits, transfer, stop);
    report = save.wait();
    lateness = stop.stop_requested() ? "was interrupted" : save.transfer().lateness();
  }
  saved.report = report_of(report, request.options.as);
  for (const std::string& warning : report.warnings) log.warning(warning);
  tell(saved.report, request, lateness, log);
  saved.taken = std::chrono::steady_clock::now() - saved.start;
  return saved;
}

void keep_cache(const WorkDir& work, const CacheRestoreReport& restore, const CacheSaveReport& save, std::uint64_t most,
                Log& log) {
  const bool saved = save.outcome == "saved" || save.outcome == "unchanged" || save.outcome == "quarantined";
  const bool restored = restore.outcome == "hit" || restore.outcome == "fallback";
  const bool untouched = save.outcome == "not-run" || save.outcome == "off";
  if (most == 0 || !(saved || (restored && untouched))) return;
  const Result<void> kept = keep_cache(work, saved ? save.bytes : restore.bytes, most);
  if (!kept) log.note(fmt::format("the cache does not stay on this machine: {}", kept.error().message));
}

std::string note_of(const CacheSaveReport& save) {
  return fmt::format("save: {}, generation {}, {}", save.outcome, save.generation, description(save));
}

StoreReport report_of(const store::MeterReading& reading) {
  StoreReport report{reading.requests.get,    reading.requests.put, reading.requests.list, reading.requests.stat,
                     reading.requests.remove, reading.bytes_in,     reading.bytes_out,     reading.retries};
  if (const auto& tier = reading.tier) report.tier = {tier->hits, tier->misses, tier->bytes};
  return report;
}

}  // namespace hearth::build
