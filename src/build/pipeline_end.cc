#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "build/builds.h"
#include "build/packaging.h"
#include "build/pipeline.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// For the report and the log, which are small; a build that was interrupted has little time left.
constexpr std::chrono::seconds kRecordsLimit(30);
constexpr std::chrono::seconds kRecordsLimitWhenInterrupted(2);

std::string description(const CacheSaveReport& save) {
  return fmt::format("{} entries, {}; {} added, {} changed, {} removed; {} uploaded in {} objects", save.entries,
                     util::human_size(save.bytes), save.added, save.changed, save.removed,
                     util::human_size(save.uploaded_bytes), save.uploaded_objects) +
         (save.left_out == 0 ? "" : fmt::format("; {} left out", save.left_out));
}

}  // namespace

void Pipeline::record(const char* name, Clock::time_point start, Clock::duration taken) {
  for (PhaseReport& phase : report_.phases) {
    if (phase.name == name) {
      phase.seconds += taken;
      return;
    }
  }
  report_.phases.push_back({name, start - started_, taken});
  std::ranges::stable_sort(report_.phases, {}, &PhaseReport::start);
  log_.note(fmt::format("phase {}: {}", name, util::human_duration(taken)));
}

// What a failed step means: of a build that was to end anyway, the reason for that.
std::unexpected<Failure> Pipeline::because(Failure failure) const {
  failure.phase = phase_;
  failure.message = log_.masked(failure.message);
  if (stop_.stop_requested()) {
    failure.kind = FailureClass::interrupted;
    failure.message = fmt::format("the {} was interrupted", noun());
  } else if (deadline_.expired()) {
    failure.kind = FailureClass::deadline;
    failure.message = fmt::format("the {} took longer than {} (--build-timeout)", noun(),
                                  util::human_duration(options_.build_timeout));
  }
  return std::unexpected(std::move(failure));
}

// "in FILE", or "nowhere: why".
std::string Pipeline::keep_slug() {
  if (!options_.slug_to.empty() && options_.slug_to != "-" && phase_ == "publish") return "in " + options_.slug_to;
  const Result<fs::path> kept = build::keep_slug(work_->own() / "slug.tgz", kept_slugs(work_->root()),
                                                 fmt::format("{}-{}.tgz", options_.app, report_.build));
  return kept ? "in " + kept->native() : "nowhere: " + kept.error().message;
}

// Buildpacks remove CACHE_DIR, or put a link in its place: a cache without entries then.
bool Pipeline::make_cache_readable() {
  struct stat status{};
  const bool found = ::lstat(work_->cache().c_str(), &status) == 0;
  if (found && S_ISDIR(status.st_mode)) return true;
  if (found) {
    log_.warning("A buildpack put something else in the place of CACHE_DIR: it counts as empty");
    if (::unlink(work_->cache().c_str()) != 0) return false;
  }
  return ::mkdir(work_->cache().c_str(), 0755) == 0;
}

cache::SaveOptions Pipeline::save_options() const {
  return {.threads = 0,
          .compression_level = static_cast<int>(options_.compression_level),
          .max_bytes = options_.max_size,
          .exclude = util::IgnoreRules(cache_exclusions(options_.cache_exclude, config_vars_))};
}

void Pipeline::save_cache() {
  if (cache_ == CacheMode::off || cache_ == CacheMode::read_only) {
    report_.save.outcome = "off";
    return;
  }
  phase_ = "save";
  if (!cache_is_saved()) {
    report_.save.outcome = "failed";
    return;
  }
  log_.heading("Saving cache...");
  const Clock::time_point start = Clock::now();
  cache::SaveReport saved;
  std::string lateness;
  if (make_cache_readable()) {
    const auto work = [work_dir = work_, name = cache_name(), options = save_options()](store::ObjectStore& store,
                                                                                        const std::stop_token& stop) {
      return cache::save(store, name, work_dir->cache(), work_dir->own() / "index", options, stop);
    };
    ReportingTransfer<cache::SaveReport> save(store_, meter_, {options_.save_deadline, options_.stall_timeout}, work,
                                              stop_);
    saved = save.wait();
    lateness = stop_.stop_requested() ? "was interrupted" : save.transfer().lateness();
  }
  report_.save = report_of(saved);
  for (const std::string& warning : saved.warnings) log_.warning(warning);
  if (saved.outcome == cache::SaveOutcome::saved) log_.line("Saved " + description(report_.save));
  if (saved.outcome == cache::SaveOutcome::unchanged) log_.line("Cache unchanged, not updating");
  if (saved.trimmed_files > 0) {
    log_.line(fmt::format("Left out {} file{}, {}, unused for longest: the cache may have {} (--max-size)",
                          saved.trimmed_files, saved.trimmed_files == 1 ? "" : "s",
                          util::human_size(saved.trimmed_bytes), util::human_size(options_.max_size)));
  }
  if (saved.outcome == cache::SaveOutcome::superseded)
    log_.line("Not saved: the cache was purged or replaced meanwhile");
  if (saved.outcome == cache::SaveOutcome::failed) log_.warning("The cache was not saved; the old one stays");
  if (saved.outcome == cache::SaveOutcome::late) {
    log_.warning(fmt::format("Saving the cache {}; the old one stays", lateness));
  }
  record("save", start, Clock::now() - start);
}

void Pipeline::await_deletion() {
  if (!deletion_) return;
  if (!deletion_->wait()) {
    log_.warning(fmt::format("Deleting the stored cache {}; the next build tries again",
                             stop_.stop_requested() ? "was interrupted" : deletion_->lateness()));
  } else if (const Result<cache::PurgeReport>& deleted = **deleted_; !deleted) {
    log_.warning(fmt::format("The stored cache could not be deleted: {}", deleted.error().message));
  } else {
    report_.cache.deleted_objects = deleted->deleted;
    if (deleted->deleted > 0) log_.line(fmt::format("Deleted the stored cache: {} objects", deleted->deleted));
  }
}

void Pipeline::finish() {
  log_.end_output();
  if (report_.failure) tell_failure();
  name_failed_build();
  log_.note(fmt::format("restore: {}, generation {}, {} entries, {} bytes, {} fetched", report_.restore.outcome,
                        report_.restore.generation, report_.restore.entries, report_.restore.bytes,
                        report_.restore.fetched_bytes));
  log_.note(fmt::format("save: {}, generation {}, {}", report_.save.outcome, report_.save.generation,
                        description(report_.save)));
  log_.note(fmt::format("{} {}: {} after {}", noun(), report_.build, report_.failure ? "failed" : "succeeded",
                        util::human_duration(Clock::now() - started_)));
  store_records();
  write_report();
}

void Pipeline::tell_failure() {
  const Failure& failure = *report_.failure;
  log_.warning(failure.message);
  const std::string where = failure.phase.empty() ? "" : " in " + failure.phase;
  console_.diagnostics(fmt::format("{} failed{}: {}", noun(), where, failure.message));
}

// Its own time, not the build's: an interrupted build is recorded too.
std::chrono::seconds Pipeline::records_limit() const {
  return stop_.stop_requested() ? kRecordsLimitWhenInterrupted : kRecordsLimit;
}

// A published build has its name; one that was not gets it for its report and log.
void Pipeline::name_failed_build() {
  const bool published = report_.slug && !report_.slug->key.empty();
  if (!store_ || published || options_.publish == Publish::no) return;
  const util::StopAfter limit({}, records_limit());
  const auto named = name_build(*store_, options_.app, id_, surroundings_.now(), limit.token());
  if (named) report_.build = *named;
}

void Pipeline::store_records() {
  if (meter_) {
    const store::MeterReading reading = meter_->read();
    report_.store = {reading.requests.get,    reading.requests.put, reading.requests.list, reading.requests.stat,
                     reading.requests.remove, reading.bytes_in,     reading.bytes_out,     reading.retries};
  }
  if (!store_ || options_.publish == Publish::no) return;
  const util::StopAfter limit({}, records_limit());
  const Result<void> stored =
      build::store_records(*store_, options_.app, report_.build, to_json(report_), log_.kept(), limit.token());
  if (!stored) {
    console_.diagnostics(fmt::format("the build's report and log could not be stored: {}", stored.error().message));
  }
}

void Pipeline::write_report() {
  if (options_.report_to.empty()) return;
  const std::string json = to_json(report_);
  const Result<void> written =
      options_.report_to == "-" ? util::write_full(STDOUT_FILENO, json) : util::write_file(options_.report_to, json);
  if (!written) {
    console_.diagnostics(
        fmt::format("the report could not be written to {}: {}", options_.report_to, written.error().message));
  }
}

}  // namespace hearth::build
