// The steps of one build and what they hand to each other. Decides in one place what a cache problem means: a warning
// and a cold build.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/buildpack_steps.h"
#include "build/cache_choice.h"
#include "build/config_vars.h"
#include "build/failures.h"
#include "build/history.h"
#include "build/log.h"
#include "build/mask.h"
#include "build/report.h"
#include "build/saving.h"
#include "build/ssh_agent.h"
#include "build/stored_builds.h"
#include "build/surroundings.h"
#include "build/transfer.h"
#include "build/work_dir.h"
#include "buildpack/selection.h"
#include "cache/cache.h"
#include "cache/generations/collect.h"
#include "util/stop.h"

namespace hearth::build {

// What reading the history came to.
struct HistoryReport {
  enum class Outcome { read, failed, late };
  Outcome outcome = Outcome::failed;
  KnownHistory known;
};

// One build; run() is called once. One thread.
class Pipeline {
 public:
  Pipeline(const BuildOptions& options, const Console& console, const Surroundings& surroundings,
           ConfigVars config_vars, std::stop_token stop);

  // `usable` is what checking the options came to.
  Report run(const Result<void>& usable);

 private:
  using Clock = std::chrono::steady_clock;

  Step build(const Result<void>& usable);

  // pipeline_setup.cc
  Step set_up(const Result<void>& usable);
  Step open_store();
  Step open_work_dir();
  Step open_sandbox();
  Step open_online();
  Step start_agent();
  sandbox::Config sandbox_config() const;
  void choose_cache_mode();
  void tell_cache_mode();
  fetch::GitAccess git_access() const;
  buildpack::Environment git_environment() const;
  void start_restore();
  void start_deletion();
  cache::Name cache_name() const { return {options_.app, options_.stack, report_.arch}; }

  // pipeline.cc
  Step take_source();
  Step fetch_buildpacks();
  Step prepare_context();
  Step detect();
  Step await_restore();
  Step use_restored(const cache::RestoreReport& restored);
  Step compile();
  Step compile_all();
  void collect_reports();
  Step release();
  Step make_slug();
  Step publish();

  // pipeline_retry.cc
  Step compile_or_retry();
  std::optional<bool> wants_retry();
  bool keep_pristine();
  void advise(std::optional<bool> wanted);
  Step retry_cold(const Failure& first);
  Step failed_again(const Failure& first, const Failure& second);
  Step compile_again();

  // pipeline_history.cc
  void read_history();
  const History* known_history();
  void judge_cache();
  PastBuild past_build() const;
  bool is_remembered() const;
  bool store_answers() const;
  void remember();

  // pipeline_test.cc
  bool is_test() const { return options_.purpose == buildpack::Purpose::test; }
  const char* noun() const { return is_test() ? "test" : "build"; }
  Step read_test_settings();
  Step require_tests() const;
  ConfigVars build_vars() const;
  Step move_app_home();
  Step test();

  // pipeline_end.cc
  void start_removal();
  void end_removal();
  bool keeps_failed_cache() const;
  void save_cache();
  void save_now();
  void save_later();
  void keep_cache_here();
  SaveRequest save_request() const;
  void await_deletion();
  void finish();
  void leave_records();
  void tell_failure();
  std::chrono::seconds records_limit() const;
  void name_failed_build();
  void store_records();
  void write_report();

  template <class Body>
  Step phase(const char* name, Body body);
  void record(const char* name, Clock::time_point start, Clock::duration taken);
  std::unexpected<Failure> because(Failure failure) const;
  std::vector<std::string> secrets() const {
    return secrets_of(config_vars_, options_.host_environment, options_.pass_env);
  }
  bool cache_is_restored() const;
  bool cache_is_saved() const;
  std::string keep_slug();
  std::optional<uid_t> file_owner() const { return sandbox::file_owner(*sandbox_); }
  std::shared_ptr<void> show(std::string_view what, std::function<util::ProgressReading()> read) const;
  std::shared_ptr<void> show(std::string_view what, std::shared_ptr<const util::Progress> progress) const;

  const BuildOptions& options_;
  const Console& console_;
  const Surroundings& surroundings_;
  const ConfigVars config_vars_;
  const std::stop_token stop_;
  const Clock::time_point started_ = Clock::now();
  const std::string id_;
  util::StopAfter deadline_;  // of everything up to the publish
  Log log_;
  Report report_;
  std::string phase_;
  CacheMode cache_;
  StoredCache stored_cache_ = StoredCache::stays;

  // In the order in which they depend on each other: destroyed from the last to the first.
  std::shared_ptr<store::ObjectStore> store_;  // null where it could not be opened
  std::shared_ptr<const store::Meter> meter_;
  std::string store_url_;
  std::string store_error_;
  std::shared_ptr<WorkDir> work_;  // shared with transfers that hang: nobody else may use it before they end
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  std::unique_ptr<sandbox::Sandbox> online_;  // for fetches; null where sandbox_ serves them
  std::optional<SshAgent> agent_;
  std::unique_ptr<ReportingTransfer<cache::RestoreReport>> restore_;
  std::unique_ptr<ReportingTransfer<HistoryReport>> reading_history_;
  std::optional<KnownHistory> known_history_;
  // Its own, since a deletion that hangs outlives the build.
  using Deletion = std::optional<Result<cache::PurgeReport>>;
  const std::shared_ptr<Deletion> deleted_ = std::make_shared<Deletion>();
  std::unique_ptr<Transfer> deletion_;
  const std::shared_ptr<util::Progress> restore_progress_ = std::make_shared<util::Progress>();
  // Of builds that --keep-builds does not keep; null where none is under way.
  std::unique_ptr<Transfer> removal_;
  std::shared_ptr<Result<BuildRemoval>> removed_;

  std::string source_version_;
  buildpack::TestSettings test_settings_;
  buildpack::Choice choice_;
  std::vector<buildpack::Buildpack> candidates_;
  std::optional<buildpack::Context> context_;
  std::vector<Detected> buildpacks_;  // those that run, in order
  std::string procfile_;

  bool cache_in_place_ = false;  // CACHE_DIR is made
  bool warm_ = false;            // and holds what was restored
  std::string culprit_;          // the restored generation, where it alone made compile fail
  bool skipped_ = false;         // --cache auto does without the cache
  bool saves_later_ = false;     // --save background
  std::string kept_slug_;        // where the slug is that was not published, "in FILE"; empty: nowhere
  bool records_stored_ = false;  // the report and the log
  bool named_ = false;           // report_.build is the name that the build has in the store
  PastBuild past_;               // the times of it
};

// A step of the build by its name in the report: timed, noted in the log, and not begun once the build is to end.
template <class Body>
Step Pipeline::phase(const char* name, Body body) {
  phase_ = name;
  const Clock::time_point start = Clock::now();
  const bool stopped = stop_.stop_requested() || deadline_.token().stop_requested();
  Step step = stopped ? Step(failed(FailureClass::interrupted, "stopped")) : body();
  record(name, start, Clock::now() - start);
  if (!step) return because(std::move(step).error());
  return step;
}

}  // namespace hearth::build
