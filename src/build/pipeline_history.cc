#include <utility>

#include "build/pipeline.h"
#include "build/worth.h"
#include "util/stop.h"

namespace hearth::build {

namespace {

// Reading the history runs beside all the rest; who needs it waits no longer than this from the build's start.
constexpr std::chrono::seconds kReadLimit(3);
constexpr std::chrono::seconds kWriteLimit(5);
constexpr std::chrono::seconds kWriteLimitWhenInterrupted(2);

HistoryReport read(store::ObjectStore& store, const std::string& app, const std::stop_token& stop) {
  Result<KnownHistory> known = read_history(store, app, stop);
  if (!known) return {};
  return {HistoryReport::Outcome::read, std::move(*known)};
}

}  // namespace

// Only where something depends on it.
void Pipeline::read_history() {
  const bool judges = cache_ == CacheMode::automatic;
  const bool suspects = options_.retry_cold == RetryCold::automatic && (cache_is_restored() || judges);
  if (!store_ || (!judges && !suspects)) return;
  // The work directory is not free before the last request of the build has come back.
  const auto work = [work_dir = work_, app = options_.app](store::ObjectStore& store, const std::stop_token& stop) {
    return read(store, app, stop);
  };
  reading_history_ = std::make_unique<ReportingTransfer<HistoryReport>>(
      store_, meter_, TransferLimits{kReadLimit, options_.stall_timeout}, work, deadline_.token());
}

// What the store remembers; null where it could not be had in time.
const History* Pipeline::known_history() {
  if (reading_history_) {
    HistoryReport report = reading_history_->wait();
    if (report.outcome == HistoryReport::Outcome::read) known_history_ = std::move(report.known);
    reading_history_.reset();
  }
  return known_history_ ? &known_history_->history : nullptr;
}

// `--cache auto` becomes what it means for this build.
void Pipeline::judge_cache() {
  if (cache_ != CacheMode::automatic) return;
  cache_ = CacheMode::on;
  const History* history = known_history();
  if (history == nullptr) return;
  const Judgement judgement = judge(of_cache(*history, options_.stack, report_.arch));
  if (!judgement.reason.empty()) log_.line(judgement.reason);
  if (judgement.use) return;
  cache_ = CacheMode::off;
  skipped_ = true;
  report_.restore.outcome = "skipped";
}

PastBuild Pipeline::past_build() const {
  PastBuild past = past_;
  past.build = report_.build;
  past.stack = report_.stack;
  past.arch = report_.arch;
  past.succeeded = !report_.failure;
  past.source_version = source_version_;
  const bool awaited = !restore_ || cache_in_place_;
  if (awaited) past.restore = report_.restore.outcome;
  past.generation = report_.restore.generation;
  past.restored_bytes = report_.restore.bytes;
  past.fetched_bytes = report_.restore.fetched_bytes;
  past.retry = report_.retry;
  return with_save(std::move(past), report_.save, past_.save_time);
}

// Of builds that leave something in the store. What tests take says nothing of builds.
bool Pipeline::is_remembered() const {
  const bool uses_cache = report_.restore.outcome != "off" || cache_is_saved();
  return store_ && work_ && !is_test() && (options_.publish == Publish::yes || uses_cache);
}

// By the last that this build heard of it.
bool Pipeline::store_answers() const {
  if (options_.publish == Publish::yes) return records_stored_;
  const std::string& save = report_.save.outcome;
  if (save == "saved" || save == "unchanged" || save == "quarantined" || save == "superseded") return true;
  const std::string& restore = report_.restore.outcome;
  return save != "failed" && save != "late" && (restore == "hit" || restore == "fallback" || restore == "miss");
}

void Pipeline::remember() {
  if (!is_remembered() || !store_answers()) return;
  known_history();
  const util::StopAfter limit({}, stop_.stop_requested() ? kWriteLimitWhenInterrupted : kWriteLimit);
  const Result<void> done =
      remember_build(*store_, options_.app, past_build(), std::exchange(known_history_, std::nullopt), limit.token());
  if (!done) {
    console_.diagnostics(fmt::format("the build is missing in the app's history: {}", done.error().message));
  }
}

}  // namespace hearth::build
