// A compile that fails may owe that to what was restored: then it runs once more without.
#include <unistd.h>

#include "build/pipeline.h"
#include "build/pristine.h"

namespace hearth::build {

Step Pipeline::compile_or_retry() {
  const std::optional<bool> wanted = wants_retry();
  const bool prepared = wanted.value_or(false) && keep_pristine();
  Step compiled = phase("compile", [&] { return compile(); });
  const bool failed_warm = !compiled && warm_ && compiled.error().kind == FailureClass::app;
  if (failed_warm && prepared) return retry_cold(compiled.error());
  // The slug may need the space.
  if (prepared) drop_pristine(*work_);
  if (failed_warm) advise(wanted);
  return compiled;
}

// Known before compile runs, which changes what a second one starts from. Absent: nobody knows whether the cache is
// suspect.
std::optional<bool> Pipeline::wants_retry() {
  if (!warm_ || options_.retry_cold == RetryCold::never) return false;
  if (options_.retry_cold == RetryCold::always) return true;
  const History* history = known_history();
  if (history == nullptr) return std::nullopt;
  const History builds = of_cache(*history, options_.stack, report_.arch);
  return !has_served(builds, report_.restore.generation) || was_built(builds, source_version_);
}

// Where compile failed, and did not run once more.
void Pipeline::advise(std::optional<bool> wanted) {
  if (options_.retry_cold == RetryCold::never) return;
  if (!wanted) {
    log_.line(
        "Whether the restored cache is suspect could not be found out; to do without it, build with --cache refresh");
  } else if (*wanted) {
    log_.line("A second compile, with an empty cache, was not possible; to do without it, build with --cache refresh");
  } else {
    log_.line("The restored cache is not suspect; if you think otherwise, build with --cache refresh");
  }
}

bool Pipeline::keep_pristine() {
  const Result<void> kept = build::keep_pristine(*work_, file_owner(), deadline_.token());
  if (!kept) log_.note(fmt::format("no second compile is possible: {}", kept.error().message));
  return kept.has_value();
}

Step Pipeline::retry_cold(const Failure& first) {
  log_.warning(
      fmt::format("Compile failed with the restored cache ({}); it runs once more with an empty one", first.message));
  phase_ = "compile";
  const Clock::time_point start = Clock::now();
  Step again = compile_again();
  record("retry", start, Clock::now() - start);
  if (!again) return failed_again(first, because(std::move(again).error()).error());
  report_.retry = "succeeded";
  const bool own = report_.restore.seed.empty();
  if (own) culprit_ = report_.restore.generation;
  const char* outcome =
      own ? "it is set aside, and this build's cache takes its place" : "the app's own takes its place";
  log_.warning(fmt::format("The restored cache, generation {}, made compile fail; {}", report_.restore.generation,
                           cache_is_saved() ? outcome : "build with --cache refresh to replace it"));
  return {};
}

Step Pipeline::failed_again(const Failure& first, const Failure& second) {
  if (second.kind == FailureClass::internal) {
    log_.warning(fmt::format("It could not: {}", second.message));
    return std::unexpected(first);
  }
  const bool ended = second.kind != FailureClass::interrupted && second.kind != FailureClass::deadline;
  report_.retry = ended ? "failed" : "unfinished";
  if (ended) log_.line("It failed with an empty cache, too: the cache is not the cause, and stays");
  return std::unexpected(second);
}

Step Pipeline::compile_again() {
  const Result<void> ready = put_back_pristine(*work_, file_owner());
  if (!ready) return failed(FailureClass::internal, ready.error());
  // What is there now comes from no generation.
  ::unlink((work_->own() / "index").c_str());
  warm_ = false;
  buildpacks_.erase(buildpacks_.begin() + 1, buildpacks_.end());
  TRY(prepare_context());
  return compile();
}

}  // namespace hearth::build
