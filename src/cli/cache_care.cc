#include "cli/build_options.h"

namespace hearth::cli {

void add_cache_care(Options& options, BuildFlags& flags) {
  build::BuildOptions& target = flags.options;
  const Choices<build::RetryCold> retries = {
      {"auto", build::RetryCold::automatic}, {"always", build::RetryCold::always}, {"never", build::RetryCold::never}};
  options.choice("--retry-cold", target.retry_cold, retries,
                 "Compile once more with an empty cache where it failed with a restored one (auto: a suspect one)");
  const Choices<build::SaveWhen> times = {{"wait", build::SaveWhen::wait}, {"background", build::SaveWhen::background}};
  options.choice("--save", target.save, times, "Save the cache before the command ends, or after it");
  const Choices<build::SaveOnFailure> fates = {{"off", build::SaveOnFailure::off},
                                               {"quarantine", build::SaveOnFailure::quarantine}};
  options.choice("--save-on-failure", target.save_on_failure, fates,
                 "Keep the cache of a build that fails (quarantine: aside, for --cache-from-failed)");
  options.flag("--cache-from-failed", flags.cache_from_failed,
               "Start from the cache that a failed build left, if there is one");
}

}  // namespace hearth::cli
