#include <unistd.h>

#include <algorithm>

#include "build/background.h"
#include "build/builds.h"
#include "build/kept_caches.h"
#include "build/packaging.h"
#include "build/pipeline.h"
#include "util/file.h"
#include "util/plural.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// For the report and the log, which are small; a build that was interrupted has little time left.
constexpr std::chrono::seconds kRecordsLimit(30);
constexpr std::chrono::seconds kRecordsLimitWhenInterrupted(2);

// From the publish on, most of it beside the save.
constexpr std::chrono::seconds kRemovalLimit(5);

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

// What a failed step means: of a build that was to end anyway, the reason for that, and where its slug is.
std::unexpected<Failure> Pipeline::because(Failure failure) const {
  failure.phase = phase_;
  failure.message = log_.masked(failure.message);
  const std::string kept = kept_slug_.empty() ? "" : "; the slug is kept " + kept_slug_;
  if (stop_.stop_requested()) {
    failure.kind = FailureClass::interrupted;
    failure.message = fmt::format("the {} was interrupted{}", noun(), kept);
  } else if (deadline_.expired()) {
    failure.kind = FailureClass::deadline;
    failure.message = fmt::format("the {} took longer than {} (--build-timeout){}", noun(),
                                  util::human_duration(options_.build_timeout), kept);
  }
  return std::unexpected(std::move(failure));
}

// "in FILE", or "nowhere: why". Who interrupts a build wants nothing of it.
std::string Pipeline::keep_slug() {
  if (stop_.stop_requested()) return fmt::format("nowhere: the {} was interrupted", noun());
  if (!options_.slug_to.empty() && options_.slug_to != "-" && phase_ == "publish") {
    kept_slug_ = "in " + options_.slug_to;
    return kept_slug_;
  }
  const Result<fs::path> kept = build::keep_slug(work_->own() / "slug.tgz", kept_slugs(work_->root()),
                                                 fmt::format("{}-{}.tgz", options_.app, report_.build));
  if (!kept) return "nowhere: " + kept.error().message;
  kept_slug_ = "in " + kept->native();
  return kept_slug_;
}

// What a failed build leaves is worth keeping where it got as far as compile, and nothing else is in the way.
bool Pipeline::keeps_failed_cache() const {
  const FailureClass kind = report_.failure->kind;
  return options_.save_on_failure == SaveOnFailure::quarantine && cache_is_saved() && cache_in_place_ &&
         kind != FailureClass::interrupted && kind != FailureClass::internal;
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
    log_.note(fmt::format("removed {} (--keep-builds {}), {}", util::plural((*removed_)->builds.size(), "older build"),
                          options_.keep_builds, util::human_size((*removed_)->bytes)));
  }
  removal_.reset();
}

void Pipeline::save_cache() {
  if (cache_ == CacheMode::off || cache_ == CacheMode::read_only) {
    report_.save.outcome = skipped_ ? "skipped" : "off";
    return;
  }
  phase_ = "save";
  if (!cache_is_saved()) {
    report_.save.outcome = "failed";
    return;
  }
  saves_later_ = options_.save == SaveWhen::background && !stop_.stop_requested();
  if (!saves_later_) return save_now();
  log_.heading("Saving cache in the background...");
  report_.save.outcome = "background";
}

SaveRequest Pipeline::save_request() const {
  return {.name = cache_name(),
          .options = {.threads = 0,
                      .transfers = options_.store_options.transfers,
                      .compression_level = static_cast<int>(options_.compression_level),
                      .max_bytes = options_.max_size,
                      .exclude = {},
                      .as = report_.failure ? cache::SaveAs::failed : cache::SaveAs::newest,
                      .progress = nullptr},
          .exclude = cache_exclusions(options_.cache_exclude, config_vars_),
          .culprit = culprit_,
          .limits = {options_.save_deadline, options_.stall_timeout}};
}

void Pipeline::save_now() {
  log_.heading("Saving cache...");
  SaveRequest request = save_request();
  request.options.progress = std::make_shared<util::Progress>();
  std::shared_ptr<void> shown = show("saving the cache", request.options.progress);
  const Saved saved = build::save_cache(store_, meter_, work_, request, log_, stop_);
  shown.reset();
  report_.save = saved.report;
  past_.save_time = saved.taken;
  record("save", saved.start, saved.taken);
}

// Hands the cache, and all that is known of the build, over to a process that outlives this one.
void Pipeline::save_later() {
  WorkDir::Held held = work_->release();
  const SaveJob job{.store_url = store_url_,
                    .store_options = options_.store_options,
                    .app = options_.app,
                    .build = report_.build,
                    .work_root = held.root,
                    .work_path = held.path,
                    .request = save_request(),
                    .has_records = records_stored_,
                    .report = to_json(report_),
                    .log = log_.kept(),
                    .secrets = secrets(),
                    .build_started = started_,
                    .past = past_build(),
                    .keep_caches = options_.keep_caches,
                    .is_remembered = is_remembered()};
  Result<util::Fd> file = job_file(job);
  SaverInput input{util::Fd(), std::move(held.lock)};
  Result<void> started;
  if (file) {
    input.job = std::move(*file);
    started = surroundings_.start_saver(input);
  } else {
    started = std::unexpected(std::move(file).error());
  }
  if (started) return;
  work_ = std::make_shared<WorkDir>(WorkDir::adopt({held.root, held.path, std::move(input.lock)}));
  log_.warning(fmt::format("No process could be started for the save, so it is done now: {}", started.error().message));
  save_now();
  leave_records();
  keep_cache_here();
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
    if (deleted->deleted > 0)
      log_.line(fmt::format("Deleted the stored cache: {}", util::plural(deleted->deleted, "object")));
  }
}

void Pipeline::finish() {
  log_.end_output();
  end_removal();
  if (report_.failure) tell_failure();
  name_failed_build();
  log_.note(fmt::format("restore: {}, generation {}, {}, {} bytes, {} fetched", report_.restore.outcome,
                        report_.restore.generation, util::plural(report_.restore.entries, "entry"),
                        report_.restore.bytes, report_.restore.fetched_bytes));
  log_.note(note_of(report_.save));
  log_.note(fmt::format("{} {}: {} after {}", noun(), report_.build, report_.failure ? "failed" : "succeeded",
                        util::human_duration(Clock::now() - started_)));
  leave_records();
  if (saves_later_) {
    save_later();
  } else {
    keep_cache_here();
  }
}

void Pipeline::keep_cache_here() {
  if (!work_) return;
  if (stored_cache_ == StoredCache::is_deleted) return drop_kept_cache(*work_);
  if (cache_in_place_) keep_cache(*work_, report_.restore, report_.save, options_.keep_caches, log_);
}

void Pipeline::leave_records() {
  store_records();
  remember();
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

// A build that came to its publish has its name, under which a part of it may lie already; one that did not gets it for
// its report and log.
void Pipeline::name_failed_build() {
  if (!store_ || named_ || options_.publish == Publish::no) return;
  const util::StopAfter limit({}, records_limit());
  const auto named = name_build(*store_, options_.app, id_, surroundings_.now(), limit.token());
  if (named) report_.build = *named;
  named_ = named.has_value();
}

void Pipeline::store_records() {
  if (meter_) report_.store = report_of(meter_->read());
  if (!store_ || options_.publish == Publish::no) return;
  const util::StopAfter limit({}, records_limit());
  const Result<void> stored =
      build::store_records(*store_, options_.app, report_.build, to_json(report_), log_.kept(), limit.token());
  records_stored_ = stored.has_value();
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
