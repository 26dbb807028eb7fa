#include "build/pipeline.h"

#include <unistd.h>
#include <algorithm>

#include "build/app_file.h"
#include "build/builds.h"
#include "build/packaging.h"
#include "build/processes.h"
#include "build/source.h"
#include "buildpack/environment.h"
#include "buildpack/procfile.h"
#include "cache/format/key.h"
#include "util/file.h"
#include "util/machine.h"
#include "util/plural.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kBuildpackStoreBytes = std::uint64_t{2} << 30;
constexpr std::chrono::seconds kReportLimit(10);
constexpr const char* kUserInside = "build";
constexpr const char* kConfigVarsProfile = ".profile.d/00_config_vars.sh";
// Config vars that are for us and not for buildpacks.
const std::vector<std::string> kLeftOutOfEnvDir = {"SSH_KEY"};

Result<void> check(const BuildOptions& options, const Result<ConfigVars>& config_vars) {
  TRY(check_app_name(options.app));
  for (const std::string& seed : options.seeds) TRY(within("--cache-from", cache::app_of_key(seed)));
  if (!config_vars) return std::unexpected(config_vars.error());
  return {};
}

}  // namespace

BuildResult run(const BuildOptions& options, const Console& console, std::stop_token stop) {
  return run(options, console, surroundings(), std::move(stop));
}

BuildResult run(const BuildOptions& options, const Console& console, const Surroundings& surroundings,
                std::stop_token stop) {
  const Result<ConfigVars> config_vars = read_config_vars(options.config_vars);
  Pipeline pipeline(options, console, surroundings, config_vars.value_or(ConfigVars{}), std::move(stop));
  return {pipeline.run(check(options, config_vars))};
}

Pipeline::Pipeline(const BuildOptions& options, const Console& console, const Surroundings& surroundings,
                   ConfigVars config_vars, std::stop_token stop)
    : options_(options),
      console_(console),
      surroundings_(surroundings),
      config_vars_(std::move(config_vars)),
      stop_(std::move(stop)),
      id_(util::random_hex(8)),
      deadline_(stop_, options.build_timeout),
      log_(console, secrets(), surroundings.now),
      cache_(options.cache),
      source_version_(options.source_version) {
  report_.app = options.app;
  report_.build = name_build_by_clock(id_, surroundings.now());
  report_.stack = options.stack;
  report_.arch = util::architecture();
}

Report Pipeline::run(const Result<void>& usable) {
  const Step outcome = build(usable);
  // From here on the outcome is decided: what happens to the cache, the report and the log does not change it.
  if (!outcome) report_.failure = outcome.error();
  if (!report_.failure || keeps_failed_cache()) save_cache();
  await_deletion();
  finish();
  return report_;
}

Step Pipeline::build(const Result<void>& usable) {
  TRY(set_up(usable));
  start_restore();
  start_deletion();
  TRY(phase("source", [&] { return take_source(); }));
  TRY(phase("buildpacks", [&] { return fetch_buildpacks(); }));
  TRY(phase("detect", [&] { return detect(); }));
  TRY(await_restore());
  TRY(compile_or_retry());
  TRY(phase("release", [&] { return release(); }));
  if (is_test()) return phase("test", [&] { return test(); });
  TRY(phase("slug", [&] { return make_slug(); }));
  TRY(phase("publish", [&] { return publish(); }));
  return {};
}

Step Pipeline::take_source() {
  SourceRequest request;
  request.source = options_.source;
  request.strip = options_.strip;
  request.build_dir = work_->build();
  request.owner = file_owner();
  request.git = [&](const fetch::Reference&) -> Result<fetch::GitAccess> { return git_access(); };
  const Result<Source> source = build::take_source(request, deadline_.token());
  if (!source) return failed(FailureClass::source, source.error());
  for (const std::string& warning : source->warnings) log_.warning(warning);
  if (!source->revision.empty()) {
    log_.line(fmt::format("Source at revision {}", source->revision));
    if (source_version_.empty()) source_version_ = source->revision;
  }
  // What a slug does not need, tests may.
  return is_test() ? read_test_settings() : apply_ignore_file(work_->build(), ".slugignore", log_);
}

Step Pipeline::fetch_buildpacks() {
  const buildpack::Request request{options_.buildpacks, options_.installed, config_vars_, options_.aliases,
                                   options_.purpose};
  Result<buildpack::Choice> choice = buildpack::choose(request, work_->build());
  if (!choice) return failed(FailureClass::source, choice.error());
  choice_ = std::move(*choice);
  if (choice_.named != buildpack::Named::detection) {
    log_.heading(fmt::format("Fetching custom buildpack{}", choice_.references.size() == 1 ? "" : "s"));
    for (const std::string& reference : choice_.references) log_.line(fetch::masked(reference));
    log_.note(fmt::format("buildpacks named by {}", buildpack::name(choice_.named)));
  }
  buildpack::FetchPlan plan;
  plan.git = git_access();
  plan.app_dir = work_->build();
  plan.checkout_dir = work_->buildpacks();
  plan.store_dir = buildpack_store(work_->root());
  plan.store_bytes = kBuildpackStoreBytes;
  plan.owner = file_owner();
  Result<std::vector<buildpack::Buildpack>> fetched = buildpack::fetch_all(choice_, request, plan, deadline_.token());
  if (!fetched) return failed(FailureClass::source, fetched.error());
  candidates_ = std::move(*fetched);
  // A build has no use for it; what is left goes with the work directory.
  std::ignore = util::remove_tree(work_->scratch());
  return {};
}

Step Pipeline::prepare_context() {
  const Result<void> written = write_env_dir(build_vars(), kLeftOutOfEnvDir, work_->env(), file_owner());
  if (!written) return failed(FailureClass::internal, written.error());
  buildpack::EnvironmentRequest request;
  request.home = sandbox_->inside(work_->app());
  request.tmp = sandbox_->inside(work_->tmp());
  request.user = kUserInside;
  request.stack = options_.stack;
  request.request_id = id_;
  request.source_version = source_version_;
  request.host = options_.host_environment;
  request.pass_through = options_.pass_env;
  buildpack::Environment environment = buildpack::base_environment(request);
  for (const auto& variable : git_environment()) {
    if (variable.first.starts_with("SSH_") || variable.first.starts_with("GIT_SSH")) environment.push_back(variable);
  }
  context_.emplace(*sandbox_, buildpack::BuildPaths{work_->build(), work_->cache(), work_->env()},
                   std::move(environment));
  return {};
}

Step Pipeline::detect() {
  TRY(prepare_context());
  if (choice_.named == buildpack::Named::detection) {
    buildpacks_.push_back(TRY(detect_first(*context_, candidates_, log_, deadline_.token())));
    candidates_.clear();
  } else {
    if (candidates_.empty()) return failed(FailureClass::no_buildpack, "the list of buildpacks is empty");
    buildpacks_.push_back(TRY(detect_named(*context_, candidates_.front(), log_, deadline_.token())));
    candidates_.erase(candidates_.begin());
  }
  return is_test() ? require_tests() : Step();
}

Step Pipeline::await_restore() {
  phase_ = "restore";
  if (!restore_) return use_restored({});
  log_.heading("Restoring cache...");
  std::shared_ptr<void> shown = show("restoring the cache", restore_progress_);
  const Clock::time_point asked = Clock::now();
  const cache::RestoreReport restored = restore_->wait();
  past_.waited = Clock::now() - asked;
  past_.restore_time = restore_->transfer().taken();
  shown.reset();
  record("restore", restore_->transfer().started(), restore_->transfer().taken());
  report_.restore = report_of(restored);
  for (const std::string& warning : restored.warnings) log_.warning(warning);
  return use_restored(restored);
}

// CACHE_DIR is what was restored, or an empty directory.
Step Pipeline::use_restored(const cache::RestoreReport& restored) {
  using enum cache::RestoreOutcome;
  const fs::path from = work_->own() / "restored";
  const bool warm = restore_ && (restored.outcome == hit || restored.outcome == fallback);
  cache_in_place_ = true;
  // A bin/detect may have left something at its place.
  const Result<void> cleared = util::remove_tree(work_->cache());
  if (!cleared) return because({FailureClass::internal, {}, cleared.error().message});
  if (warm && ::rename(from.c_str(), work_->cache().c_str()) == 0) {
    warm_ = true;
    const char* what = restored.outcome == hit ? "Restored" : "Restored an older cache";
    log_.line(fmt::format("{}{}: {}, {}{}", restored.of_failed ? "Restored what a failed build left" : what,
                          restored.seed.empty() ? "" : fmt::format(" from {}", util::shown(restored.seed)),
                          util::plural(restored.entries, "entry"), util::human_size(restored.bytes),
                          restored.generation.empty() ? "" : ", generation " + restored.generation));
    return {};
  }
  if (warm) log_.warning("The restored cache could not be moved to its place: this build starts cold");
  if (restore_ && restored.outcome == miss) log_.line("No cache yet: this build starts cold");
  if (restore_ && restored.outcome == late) {
    log_.warning(fmt::format("Restoring the cache {}: this build starts cold", restore_->transfer().lateness()));
  }
  if (restore_ && restored.outcome == damaged) log_.warning("The cache is damaged: this build starts cold");
  if (restore_ && restored.outcome == unavailable) log_.warning("The cache cannot be had: this build starts cold");
  const Result<void> made = util::make_directories(work_->cache());
  if (!made) return because({FailureClass::internal, {}, made.error().message});
  const std::optional<uid_t> owner = file_owner();
  if (owner && ::lchown(work_->cache().c_str(), *owner, *owner) != 0) {
    return because({FailureClass::internal, {}, "CACHE_DIR could not be given to the build user"});
  }
  return {};
}

Step Pipeline::compile() {
  const Clock::time_point start = Clock::now();
  Step compiled = compile_all();
  past_.compiled = warm_ ? Temperature::warm : Temperature::cold;
  past_.compile_time = Clock::now() - start;
  collect_reports();
  return compiled;
}

Step Pipeline::compile_all() {
  const std::stop_token stop = deadline_.token();
  TRY(run_hook(*context_, "bin/pre-compile", {}, log_, stop));
  std::vector<buildpack::Buildpack> earlier;
  TRY(build::compile(*context_, buildpacks_.front(), options_.purpose, earlier, log_, stop));
  for (const buildpack::Buildpack& candidate : candidates_) {
    earlier.push_back(buildpacks_.back().buildpack);
    buildpacks_.push_back(TRY(detect_named(*context_, candidate, log_, stop)));
    TRY(build::compile(*context_, buildpacks_.back(), options_.purpose, earlier, log_, stop));
  }
  earlier.push_back(buildpacks_.back().buildpack);
  return run_hook(*context_, "bin/post-compile", earlier, log_, stop);
}

void Pipeline::collect_reports() {
  report_.buildpacks.clear();
  const util::StopAfter limit(deadline_.token(), kReportLimit);
  for (const Detected& detected : buildpacks_) {
    BuildpackReport entry{detected.buildpack.name, detected.buildpack.source, detected.buildpack.revision, {}};
    if (!limit.token().stop_requested()) {
      for (const auto& [key, value] : buildpack::report(*context_, detected.buildpack, limit.token())) {
        entry.report.emplace(key, log_.masked(value));
      }
    }
    report_.buildpacks.push_back(std::move(entry));
  }
}

Step Pipeline::release() {
  const buildpack::Release released = TRY(release_all(*context_, buildpacks_, log_, deadline_.token()));
  // No code of the app's runs from here on.
  TRY(require_build_dir(work_->build()));
  report_.processes = discover_processes(work_->build(), released.default_process_types, buildpacks_.back().name, log_);
  procfile_ = buildpack::write_procfile(report_.processes);
  const auto write = [&](const char* file, const std::string& text) {
    return write_app_file(work_->build(), file, text, file_owner());
  };
  Result<void> written;
  if (!released.config_vars.empty()) written = write(kConfigVarsProfile, profile_of(released.config_vars));
  if (written && !released.default_process_types.empty()) {
    written = write(kReleaseFile, release_file_of(released.default_process_types));
  }
  if (!written) return failed(FailureClass::app, written.error());
  return {};
}

Step Pipeline::make_slug() {
  const PackagingRequest request{work_->build(), work_->own() / "slug.tgz", options_.slug_soft_limit,
                                 static_cast<int>(options_.slug_level)};
  report_.slug = TRY(build::make_slug(request, log_, deadline_.token()));
  if (report_.slug->bytes > options_.slug_hard_limit) {
    return failed(FailureClass::app, "the slug is larger than {} allows; it is kept {}",
                  util::human_size(options_.slug_hard_limit), keep_slug());
  }
  if (options_.slug_to.empty()) return {};
  const Result<void> handed = hand_out(request.file, options_.slug_to, deadline_.token());
  if (!handed) return failed(FailureClass::internal, handed.error());
  return {};
}

Step Pipeline::publish() {
  if (options_.publish == Publish::no) return {};
  const std::stop_token stop = deadline_.token();
  Result<std::string> key = fail(ErrorKind::unavailable, "{}", store_error_);
  if (store_) {
    Result<std::string> named = name_build(*store_, options_.app, id_, surroundings_.now(), stop);
    if (named) report_.build = *named;
    named_ = named.has_value();
    const auto moved = [meter = meter_, before = meter_->moved(), bytes = report_.slug->bytes] {
      return util::ProgressReading{.done = meter->moved() - before, .total = bytes};
    };
    const std::shared_ptr<void> shown = show("publishing the slug", moved);
    key = named ? build::publish(*store_, options_.app, *named, work_->own() / "slug.tgz", procfile_, stop)
                : std::move(named);
  }
  if (!key) {
    return std::unexpected(
        Failure{FailureClass::store,
                {},
                fmt::format("the slug could not be published: {}; it is kept {}", key.error().message, keep_slug())});
  }
  report_.slug->key = *key;
  log_.heading(fmt::format("Published {}", *key));
  start_removal();
  return {};
}

}  // namespace hearth::build
