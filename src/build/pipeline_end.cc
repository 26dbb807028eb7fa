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

// From the publish on, most of it beside the save.
constexpr std::chrono::seconds kRemovalLimit(5);

std::string description(const CacheSaveReport& save) {
  return fmt::format("{} entries, {}; {} added, {} changed, {} removed; {} uploaded in {} objects", save.entries,
                     util::human_size(save.bytes), save.added, save.changed, save.removed,
                     util::human_size(save.uploaded_bytes), save.uploaded_objects);
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

std::shared_ptr<void> Pipeline::show(std::string_view what, std::function<util::ProgressReading()> read) const {
  return console_.progress ? console_.progress(what, std::move(read)) : nullptr;
}

std::shared_ptr<void> Pipeline::show(std::string_view what, std::shared_ptr<const util::Progress> progress) const {
  return show(what, [progress = std::move(progress)] { return progress->read(); });
}

// Beside the save. Nothing that comes of it is this build's concern.
void Pipeline::start_removal() {
  if (options_.keep_builds == 0) return;
  removed_ = std::make_shared<Result<BuildRemoval>>(fail(ErrorKind::cancelled, "it took too long"));
  const auto work = [removed = removed_, app = options_.app, own = report_.build, keep = options_.keep_builds](
                        store::ObjectStore& store, const std::stop_token& stop) {
    *removed = keep_newest(store, app, keep, own, stop);
  };
  removal_ = std::make_unique<Transfer>(store_, meter_, TransferLimits{kRemovalLimit, kRemovalLimit}, work, stop_);
}

void Pipeline::end_removal() {
  if (!removal_) return;
  // What hangs in the store still writes its result.
  const bool ended = removal_->wait();
  if (!ended || !*removed_) {
    log_.note(fmt::format("older builds were not removed: {}", ended ? removed_->error().message : "it took too long"));
  } else if (!(*removed_)->builds.empty()) {
    log_.note(fmt::format("removed {} older builds (--keep-builds {}), {}", (*removed_)->builds.size(),
                          options_.keep_builds, util::human_size((*removed_)->bytes)));
  }
  removal_.reset();
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
    const cache::SaveOptions options{.threads = 0,
                                     .compression_level = static_cast<int>(options_.compression_level),
                                     .progress = std::make_shared<util::Progress>()};
    const auto work = [work_dir = work_, name = cache_name(), options](store::ObjectStore& store,
                                                                       const std::stop_token& stop) {
      return cache::save(store, name, work_dir->cache(), work_dir->own() / "index", options, stop);
    };
    ReportingTransfer<cache::SaveReport> save(store_, meter_, {options_.save_deadline, options_.stall_timeout}, work,
                                              stop_);
    const std::shared_ptr<void> shown = show("saving the cache", options.progress);
    saved = save.wait();
    lateness = stop_.stop_requested() ? "was interrupted" : save.transfer().lateness();
  }
  report_.save = {std::string(cache::name(saved.outcome)),
                  saved.generation,
                  saved.entries,
                  saved.bytes,
                  saved.read_bytes,
                  saved.uploaded_bytes,
                  saved.uploaded_objects,
                  saved.added,
                  saved.changed,
                  saved.removed};
  for (const std::string& warning : saved.warnings) log_.warning(warning);
  if (saved.outcome == cache::SaveOutcome::saved) log_.line("Saved " + description(report_.save));
  if (saved.outcome == cache::SaveOutcome::unchanged) log_.line("Cache unchanged, not updating");
  if (saved.outcome == cache::SaveOutcome::superseded)
    log_.line("Not saved: the cache was purged or replaced meanwhile");
  if (saved.outcome == cache::SaveOutcome::failed) log_.warning("The cache was not saved; the old one stays");
  if (saved.outcome == cache::SaveOutcome::late) {
    log_.warning(fmt::format("Saving the cache {}; the old one stays", lateness));
  }
  record("save", start, Clock::now() - start);
}

void Pipeline::finish() {
  log_.end_output();
  end_removal();
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
