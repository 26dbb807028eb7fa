// hearth builds ls|show|log|rm: what the store keeps of an app's builds.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "build/build.h"
#include "build/stored_builds.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/shared_options.h"
#include "cli/stored_report.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kListExamples = R"(Examples:
  hearth builds ls blog
  hearth builds ls blog --store file:///srv/hearth --format json

Exit codes: 0 told, 2 usage, 4 the app has no builds, 5 the store could not be read.)";

constexpr const char* kShowExamples = R"(Examples:
  hearth builds show blog                       the newest build, whatever became of it
  hearth builds show blog 20261122T154141Z-ae2b35855b47cb8d --format json
  hearth builds show blog ae2b                  the beginning of a name, or of the id in it, is enough

Exit codes: 0 told, 2 usage (also: several builds begin so), 4 there is no such build, 5 the store could not be read.)";

constexpr const char* kLogExamples = R"(Examples:
  hearth builds log blog                        the log of the newest build, whatever became of it
  hearth builds log blog ae2b | less

Exit codes: 0 printed, 2 usage, 4 there is no such build, or it has no log (yet), 5 the store could not be read.)";

constexpr const char* kRemoveExamples = R"(Examples:
  hearth builds rm blog 20261122T154141Z-ae2b35855b47cb8d
  hearth builds rm blog --keep 3 --yes          all but the three newest, and the newest that succeeded
  hearth builds rm blog --all --yes             the app's cache stays: hearth cache purge blog

Exit codes: 0 removed (or there was nothing to remove), 1 not confirmed, 2 usage, 4 there is no such build, 5 the store
failed; some may be removed then, and the same command removes the rest.)";

struct BuildsFlags {
  std::string app;
  std::string build;                 // of show and log; empty: the newest
  std::vector<std::string> removed;  // of rm
  bool all = false;
  std::uint32_t keep = 0;
  bool yes = false;
  StoreFlags store;
  Format format = Format::text;
};

// The store, and the app's builds in it: never none.
struct Found {
  store::OpenStore opened;
  build::BuildFolders folders;
  store::ObjectStore& store() const { return *opened.store; }
};

Result<Found> find(const BuildsFlags& flags, const Session& session) {
  Found found;
  found.opened = TRY(open_store(flags.store));
  found.folders = TRY(build::list_builds(found.store(), flags.app, session.signals.token()));
  if (!found.folders.empty()) return found;
  return fail(ErrorKind::not_found, "{} has no builds in {}", flags.app, found.store().description());
}

Result<std::string> chosen(const Found& found, const BuildsFlags& flags) {
  if (flags.build.empty()) return found.folders.rbegin()->first;
  return build::choose_build(found.folders, flags.app, flags.build);
}

// --- ls

Result<void> list(const BuildsFlags& flags, const Session& session) {
  const Found found = TRY(find(flags, session));
  const std::stop_token stop = session.signals.token();
  const std::vector<build::StoredBuild> builds = TRY(build::stored_builds(found.store(), flags.app, stop));
  const std::optional<std::string> current = TRY(build::newest_succeeded(found.store(), found.folders, stop));
  if (flags.format == Format::json) {
    nlohmann::json list = nlohmann::json::array();
    for (const build::StoredBuild& build : builds) list.push_back(summary_json(build, current));
    say_json({{"version", 1}, {"app", flags.app}, {"builds", std::move(list)}});
    return {};
  }
  for (const std::string& line : build_table(builds)) say(line);
  std::uint64_t bytes = 0;
  for (const build::StoredBuild& build : builds) bytes += build.bytes;
  say(fmt::format("{}, {}; {}", plural(builds.size(), "build"), util::human_size(bytes),
                  current ? fmt::format("hearth run {} takes {}", flags.app, *current) : "none can be run"));
  return {};
}

// --- show and log

Result<void> show(const BuildsFlags& flags, const Session& session) {
  const Found found = TRY(find(flags, session));
  const std::stop_token stop = session.signals.token();
  const std::string name = TRY(chosen(found, flags));
  const build::StoredBuild build = TRY(build::stored_build(found.store(), found.folders, name, stop));
  const build::BuildFiles& files = found.folders.find(name)->second;
  if (flags.format == Format::json) {
    say_json(full_json(flags.app, build, files));
  } else {
    for (const std::string& line : full_text(build, files)) say(line);
  }
  return {};
}

Result<void> print_log(const BuildsFlags& flags, const Session& session) {
  const Found found = TRY(find(flags, session));
  const std::string name = TRY(chosen(found, flags));
  const build::BuildFiles& files = found.folders.find(name)->second;
  const auto log = files.find(build::kLogName);
  if (log == files.end()) {
    return fail(ErrorKind::not_found, "build {} of {} has no log: it is at work, or was ended before it stored one",
                name, flags.app);
  }
  const std::string text = TRY(build::get_text(found.store(), log->second.key, session.signals.token()));
  // Whoever closed our standard output has seen enough.
  std::ignore = util::write_full(STDOUT_FILENO, text);
  return {};
}

// --- rm

Result<std::vector<std::string>> to_remove(const Found& found, const BuildsFlags& flags, const Session& session) {
  std::vector<std::string> builds;
  if (flags.all) {
    for (const auto& [build, files] : found.folders) builds.push_back(build);
  } else if (flags.keep > 0) {
    builds = TRY(build::builds_beyond(found.store(), found.folders, flags.keep, "", session.signals.token()));
  } else {
    for (const std::string& text : flags.removed) {
      builds.push_back(TRY(build::choose_build(found.folders, flags.app, text)));
    }
  }
  std::ranges::sort(builds);
  const auto same = std::ranges::unique(builds);
  builds.erase(same.begin(), same.end());
  return builds;
}

std::vector<std::string> details_of(const Found& found, const std::vector<std::string>& builds,
                                    const std::optional<std::string>& current) {
  std::vector<std::string> details;
  for (const std::string& build : builds) {
    std::uint64_t bytes = 0;
    for (const auto& [file, info] : found.folders.find(build)->second) bytes += info.size;
    details.push_back(
        fmt::format("{}, {}{}", build, util::human_size(bytes), build == current ? ", the newest that succeeded" : ""));
  }
  return details;
}

void tell(const build::BuildRemoval& removal, const BuildsFlags& flags) {
  if (flags.format == Format::json) {
    say_json({{"version", 1},
              {"app", flags.app},
              {"removed", removal.builds},
              {"objects", removal.objects},
              {"bytes", removal.bytes}});
    return;
  }
  say(fmt::format("removed {} of {}: {}, {}", plural(removal.builds.size(), "build"), flags.app,
                  plural(removal.objects, "object"), util::human_size(removal.bytes)));
}

// The value is an exit code.
Result<int> remove(const BuildsFlags& flags, const Session& session) {
  const Found found = TRY(find(flags, session));
  const std::stop_token stop = session.signals.token();
  const std::vector<std::string> builds = TRY(to_remove(found, flags, session));
  if (!builds.empty()) {
    const std::optional<std::string> current = TRY(build::newest_succeeded(found.store(), found.folders, stop));
    const std::string what = fmt::format("will delete {} of {} in {}:", plural(builds.size(), "build"), flags.app,
                                         found.store().description());
    const auto refused = declined(flags.yes, what, details_of(found, builds, current), session);
    if (refused) return *refused;
  }
  tell(TRY(build::remove_builds(found.store(), found.folders, builds, stop)), flags);
  return static_cast<int>(ExitCode::success);
}

// --- the definitions

template <Result<void> (*tell)(const BuildsFlags&, const Session&)>
int run_builds(const BuildsFlags& flags, const Session& session) {
  const Result<void> told = tell(flags, session);
  return told ? static_cast<int>(ExitCode::success) : refuse_of_store(told.error(), session);
}

int execute_remove(const BuildsFlags& flags, const Session& session) {
  const Result<int> code = remove(flags, session);
  return code ? *code : refuse_of_store(code.error(), session);
}

void check_removed(const BuildsFlags& flags) {
  const int ways = (flags.removed.empty() ? 0 : 1) + (flags.all ? 1 : 0) + (flags.keep > 0 ? 1 : 0);
  if (ways == 0) throw UsageError("builds rm needs the BUILDs to remove, --keep N, or --all");
  if (ways > 1) throw UsageError("builds rm takes BUILDs, --keep N or --all, and only one of them");
}

using Execute = int (*)(const BuildsFlags&, const Session&);
using Check = void (*)(const BuildsFlags&);

struct Verb {
  CLI::App* command = nullptr;
  std::shared_ptr<BuildsFlags> flags;
  std::shared_ptr<Options> options;
};

Verb define_verb(CLI::App& builds, Invocation& invocation, const std::string& name, const std::string& about,
                 const std::string& examples, Execute run_builds, Check check = nullptr) {
  CLI::App* command = builds.add_subcommand(name, about);
  command->footer(examples);
  const Verb verb{.command = command,
                  .flags = std::make_shared<BuildsFlags>(),
                  .options = std::make_shared<Options>(*command, invocation.environment)};
  command->add_option("APP", verb.flags->app, "The app");
  add_store(*verb.options, verb.flags->store);
  command->final_callback([&invocation, verb, name, run_builds, check] {
    invocation.check = [&invocation, verb, name, run_builds, check] {
      verb.options->finish();
      if (verb.flags->app.empty()) throw UsageError(fmt::format("builds {} needs an APP", name));
      const Result<void> named = build::check_app_name(verb.flags->app);
      if (!named) throw UsageError(named.error().message);
      if (check != nullptr) check(*verb.flags);
      invocation.run = [flags = verb.flags, run_builds](const Session& session) { return run_builds(*flags, session); };
    };
  });
  return verb;
}

}  // namespace

void define_builds(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("builds", "What the store keeps of an app's builds");
  command->require_subcommand(0, 1);

  const Verb listing =
      define_verb(*command, invocation, "ls", "List the builds of an app, the newest first: builds ls APP",
                  kListExamples, run_builds<list>);
  add_format(*listing.options, listing.flags->format);

  const Verb showing = define_verb(*command, invocation, "show", "Tell what became of a build: builds show APP [BUILD]",
                                   kShowExamples, run_builds<show>);
  showing.command->add_option("BUILD", showing.flags->build, "Its name, or the beginning of it or of its id");
  add_format(*showing.options, showing.flags->format);

  const Verb logging = define_verb(*command, invocation, "log", "Print the log of a build: builds log APP [BUILD]",
                                   kLogExamples, run_builds<print_log>);
  logging.command->add_option("BUILD", logging.flags->build, "Its name, or the beginning of it or of its id");

  const Verb removing =
      define_verb(*command, invocation, "rm", "Remove builds from the store: builds rm APP BUILD... | --keep N | --all",
                  kRemoveExamples, execute_remove, check_removed);
  removing.command->add_option("BUILD", removing.flags->removed, "Names, or the beginnings of them or of their ids");
  removing.options->number("--keep", removing.flags->keep, "Remove all but this many of the newest")
      ->check(CLI::Range(1U, UINT32_MAX));
  removing.options->flag("--all", removing.flags->all, "Remove all builds of the app");
  add_yes(*removing.options, removing.flags->yes);
  add_format(*removing.options, removing.flags->format);
}

}  // namespace hearth::cli
