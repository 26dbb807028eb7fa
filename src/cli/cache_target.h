// What the `hearth cache` commands share that look at, or change, caches of the store: how a cache is named on the
// command line and found, how the answer is told, and how a person agrees to a deletion.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/format/layout.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shared_options.h"
#include "store/open.h"
#include "util/error.h"
#include "util/plural.h"

namespace hearth::cli {

// What every answer about one cache begins with: version (1), app, stack and arch.
nlohmann::json answer_about(const cache::Name& name);
// "blog (heroku-24, amd64)".
std::string title(const cache::Name& name);

using util::plural;
// "2 objects, 3.5 MB".
std::string amount(const cache::Stored& stored);

// How many apps a command is about.
enum class Apps {
  one,         // APP has to be there
  one_or_all,  // APP or --all
  any,         // APP, or none for all of them
};

// What the command line says of the caches that are meant. The flags of a command derive from it.
struct CacheTarget {
  Apps apps = Apps::one;
  std::string app;
  bool all = false;  // of Apps::one_or_all
  StoreFlags store;
  std::string stack;  // empty: any
  std::string arch;   // empty: any
  Format format = Format::text;
};

// APP (and --all), --stack, --arch, and --store with what belongs to it: for commands whose answer is bytes.
void add_cache_location(CLI::App& command, Options& options, CacheTarget& target, Apps apps);
// The same and --format.
void add_cache_target(CLI::App& command, Options& options, CacheTarget& target, Apps apps);
// UsageError where APP is missing, too much, or no name of an app.
void check_cache_target(const CLI::App& command, const CacheTarget& target);

// The last step of a command's definition: `check` (UsageError) completes the flags once the line is read, `execute`
// runs and gives the exit code. Flags derives from CacheTarget.
template <class Flags, class Execute, class Check>
void run_on_caches(CLI::App& command, Invocation& invocation, const std::shared_ptr<Flags>& flags,
                   const std::shared_ptr<Options>& options, Execute execute, Check check) {
  command.final_callback([&command, &invocation, flags, options, execute, check] {
    invocation.check = [&command, &invocation, flags, options, execute, check] {
      options->finish();
      check_cache_target(command, *flags);
      check(*flags);
      invocation.run = [flags, execute](const Session& session) { return execute(*flags, session); };
    };
  });
}
template <class Flags, class Execute>
void run_on_caches(CLI::App& command, Invocation& invocation, const std::shared_ptr<Flags>& flags,
                   const std::shared_ptr<Options>& options, Execute execute) {
  run_on_caches(command, invocation, flags, options, execute, [](Flags& /*flags*/) {});
}

// Whether --stack and --arch mean this one.
bool is_meant(const CacheTarget& target, const cache::Name& name);

// not_found: APP has none such in this store.
Error no_cache(const CacheTarget& target, const store::ObjectStore& store);

// The store, and the caches that are meant.
struct FoundCaches {
  store::OpenStore opened;
  std::vector<cache::Name> names;  // in the order of their keys
};
// not_found: an APP was named, and has none such.
Result<FoundCaches> find_caches(const CacheTarget& target, const Session& session);

struct FoundCache {
  store::OpenStore opened;
  cache::Layout layout;
  const cache::Name& name() const { return layout.name(); }
};
// The only cache that is meant. not_found: there is none. invalid: there are several, and the message names them.
Result<FoundCache> find_cache(const CacheTarget& target, const Session& session);

// Says the error on stderr; the exit code for it.
int refuse(const Error& error, const Session& session);
// The same where it is about files and directories of this machine: the store is not to blame for those that are closed
// to us.
int refuse_local(const Error& error, const Session& session);
// The same where every trouble is the store's: an i/o error, too, means that the answer is not to be had from it.
int refuse_of_store(const Error& error, const Session& session);
int store_exit_code(const Error& error, const Session& session);

void add_yes(Options& options, bool& yes);
// To be asked before something is deleted. Lists on stderr what it will be: `what` ("will delete the cache of blog"),
// and a line for each of `details`. Absent: go on, since --yes was given or the terminal's user typed "yes" or "y".
// Else the exit code: usage where there is no terminal to ask on, 1 where the answer was another one.
std::optional<int> declined(bool yes, std::string_view what, const std::vector<std::string>& details,
                            const Session& session);

}  // namespace hearth::cli
