// hearth cache save|restore: keeps any directory, without a build; and where the other `cache` commands come in.
#include <memory>

#include "build/build.h"
#include "build/cache_choice.h"
#include "build/transfer.h"
#include "cache/cache.h"
#include "cache/format/key.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/screen.h"
#include "cli/shared_options.h"
#include "util/ignore_rules.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kSaveExamples = R"(Examples:
  hearth cache save node_modules --app blog
  hearth cache save target --app tool --store file:///srv/hearth --stack debian-12
  hearth cache save node_modules --key "npm $LOCKFILE_HASH" --cache-exclude .cache/)";

constexpr const char* kRestoreExamples = R"(Examples:
  hearth cache restore node_modules --app blog
  hearth cache restore target --app tool --store file:///srv/hearth --stack debian-12 --replace --strict
  hearth cache restore node_modules --key "npm $LOCKFILE_HASH" --fallback "npm main" --fallback blog

Without --strict a miss, or a store that does not answer, is a warning, and the directory is empty.)";

std::string name_of_key(const std::string& flag, const std::string& key) {
  Result<std::string> name = within(flag, cache::app_of_key(key));
  if (!name) throw UsageError(name.error().message);
  return std::move(*name);
}

struct CacheFlags {
  std::string directory;
  std::string app;
  std::string key;                     // free text in the place of `app`
  std::vector<std::string> fallbacks;  // of restore only
  std::vector<std::string> exclude;    // of save only
  StoreFlags store;
  std::string stack = build::BuildOptions().stack;
  std::chrono::milliseconds deadline{};
  std::chrono::milliseconds stall_timeout = build::BuildOptions().stall_timeout;
  Format format = Format::text;
  bool strict = false;
  bool replace = false;                                                       // of restore only
  std::uint32_t compression_level = build::BuildOptions().compression_level;  // of save only
  std::uint64_t max_size = 0;                                                 // of save only
  std::shared_ptr<util::Progress> progress = std::make_shared<util::Progress>();

  cache::Name name() const { return {app, stack, util::architecture()}; }
  // For messages.
  std::string title() const { return util::shown(key.empty() ? app : key); }
};

// Where --key is given, it counts, and the app's name follows from it.
void check_name(CacheFlags& flags, const std::string& verb) {
  if (flags.app.empty() && flags.key.empty()) {
    throw UsageError(fmt::format("cache {} needs --app NAME (or HEARTH_APP), or --key KEY", verb));
  }
  const Result<void> named = flags.key.empty() ? build::check_app_name(flags.app) : Result<void>();
  if (!named) throw UsageError(named.error().message);
  if (!flags.key.empty()) flags.app = name_of_key("--key", flags.key);
  for (std::string& fallback : flags.fallbacks) fallback = name_of_key("--fallback", fallback);
  check_cache_exclude(flags.exclude);
}

// How a command ends that could not do what it was for: as an error under --strict, else as a warning.
int fall_short(const CacheFlags& flags, int code, const std::string& message) {
  complain(flags.strict ? message : fmt::format("warning: {}", message));
  return flags.strict ? code : static_cast<int>(ExitCode::success);
}

// What a person wants to know; programs have the report.
void tell(const CacheFlags& flags, const std::string& line) {
  if (flags.format == Format::text) say(line);
}

void warn_all(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) complain(fmt::format("warning: {}", warning));
}

int ended_late(const Session& session) {
  return exit_code(ErrorKind::cancelled, session.signals.received());
}

int conclude(const CacheFlags& flags, const cache::RestoreReport& report, const build::Transfer& transfer,
             const Session& session) {
  warn_all(report.warnings);
  switch (report.outcome) {
    case cache::RestoreOutcome::hit:
    case cache::RestoreOutcome::fallback:
      tell(flags, fmt::format("restored generation {}{}: {}, {}, {} fetched", report.generation,
                              report.seed.empty() ? "" : fmt::format(" of {}", util::shown(report.seed)),
                              plural(report.entries, "entry"), util::human_size(report.bytes),
                              util::human_size(report.fetched_bytes)));
      return static_cast<int>(ExitCode::success);
    case cache::RestoreOutcome::miss:
      return fall_short(flags, static_cast<int>(ExitCode::source), fmt::format("{} has no cache yet", flags.title()));
    case cache::RestoreOutcome::damaged:
    case cache::RestoreOutcome::unavailable:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        fmt::format("the cache of {} could not be restored", flags.title()));
    case cache::RestoreOutcome::late:
      if (session.signals.received() != 0) return ended_late(session);
      return fall_short(flags, ended_late(session), fmt::format("restoring the cache {}", transfer.lateness()));
  }
  return static_cast<int>(ExitCode::internal);
}

int conclude(const CacheFlags& flags, const cache::SaveReport& report, const build::Transfer& transfer,
             const Session& session) {
  warn_all(report.warnings);
  if (report.trimmed_files > 0) {
    complain(fmt::format("left out {}, {}, unused for longest: the cache may have {} (--max-size)",
                         plural(report.trimmed_files, "file"), util::human_size(report.trimmed_bytes),
                         util::human_size(flags.max_size)));
  }
  switch (report.outcome) {
    case cache::SaveOutcome::saved:
      tell(flags, fmt::format("saved generation {}: {}, {}; {} added, {} changed, {} removed, {} uploaded{}",
                              report.generation, plural(report.entries, "entry"), util::human_size(report.bytes),
                              report.added, report.changed, report.removed, util::human_size(report.uploaded_bytes),
                              report.left_out == 0 ? "" : fmt::format("; {} left out", report.left_out)));
      return static_cast<int>(ExitCode::success);
    case cache::SaveOutcome::unchanged:
      tell(flags, fmt::format("unchanged since generation {}: {}", report.generation, plural(report.entries, "entry")));
      return static_cast<int>(ExitCode::success);
    case cache::SaveOutcome::superseded:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        "the cache was purged or replaced meanwhile; nothing was saved");
    case cache::SaveOutcome::failed:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        fmt::format("the cache of {} could not be saved; the old one stays", flags.title()));
    case cache::SaveOutcome::late:
      if (session.signals.received() != 0) return ended_late(session);
      return fall_short(flags, ended_late(session),
                        fmt::format("saving the cache {}; the old one stays", transfer.lateness()));
  }
  return static_cast<int>(ExitCode::internal);
}

template <class Report>
void tell_json(const CacheFlags& flags, const Report& report) {
  if (flags.format != Format::json) return;
  const std::string json = build::to_json(build::report_of(report));
  say(json.substr(0, json.size() - 1));
}

// The part that both verbs share: the store, the progress, and the limits. `unavailable` is the report where there is
// no store.
template <class Report>
int with_store(const CacheFlags& flags, const Session& session, std::string_view what, const Report& unavailable,
               std::function<Report(store::ObjectStore&, const std::stop_token&)> work) {
  StoreFlags how = flags.store;
  how.stall = flags.stall_timeout;
  Result<store::OpenStore> opened = open_store(how);
  if (!opened && opened.error().kind == ErrorKind::invalid) return refuse(opened.error(), session);
  if (!opened) {
    tell_json(flags, unavailable);
    return fall_short(flags, static_cast<int>(ExitCode::store), opened.error().message);
  }
  std::shared_ptr<void> shown = Screen::of(session.environment, session.signals.token())->show(what, flags.progress);
  build::ReportingTransfer<Report> transfer(std::move(opened->store), opened->meter,
                                            {flags.deadline, flags.stall_timeout}, std::move(work),
                                            session.signals.token());
  const Report report = transfer.wait();
  shown.reset();
  tell_json(flags, report);
  return conclude(flags, report, transfer.transfer(), session);
}

int restore(const CacheFlags& flags, const Session& session) {
  const std::filesystem::path index = cache::index_path(flags.directory);
  const cache::Replace replace = flags.replace ? cache::Replace::yes : cache::Replace::no;
  const Result<void> room = cache::make_room(flags.directory, index, replace);
  if (!room) return refuse_local(room.error(), session);
  const cache::RestoreOptions options{.owner = {},
                                      .threads = 0,
                                      .transfers = flags.store.transfers,
                                      .seeds = flags.fallbacks,
                                      .from = cache::From::in_force,
                                      .progress = flags.progress};
  const auto work = [name = flags.name(), directory = flags.directory, index, options](store::ObjectStore& store,
                                                                                       const std::stop_token& stop) {
    return cache::restore(store, name, directory, index, options, stop);
  };
  cache::RestoreReport unavailable;
  unavailable.outcome = cache::RestoreOutcome::unavailable;
  return with_store<cache::RestoreReport>(flags, session, "restoring the cache", unavailable, work);
}

int save(const CacheFlags& flags, const Session& session) {
  std::error_code none;
  if (!std::filesystem::is_directory(flags.directory, none)) {
    complain(fmt::format("{} is no directory; nothing was saved", flags.directory));
    return static_cast<int>(ExitCode::usage);
  }
  const cache::SaveOptions options{.threads = 0,
                                   .transfers = flags.store.transfers,
                                   .compression_level = static_cast<int>(flags.compression_level),
                                   .max_bytes = flags.max_size,
                                   .exclude = util::IgnoreRules(build::cache_exclusions(flags.exclude, {})),
                                   .as = cache::SaveAs::newest,
                                   .progress = flags.progress};
  const auto work = [name = flags.name(), directory = flags.directory, options](store::ObjectStore& store,
                                                                                const std::stop_token& stop) {
    return cache::save(store, name, directory, cache::index_path(directory), options, stop);
  };
  return with_store<cache::SaveReport>(flags, session, "saving the cache", {}, work);
}

void define_verb(CLI::App& command, Invocation& invocation, const std::shared_ptr<CacheFlags>& flags,
                 const std::shared_ptr<Options>& options, int (*execute)(const CacheFlags&, const Session&)) {
  command.add_option("DIR", flags->directory, "The directory");
  add_app(*options, flags->app);
  options->text("--key", flags->key, "Any text, in the place of the app's name")->type_name("KEY");
  add_store(*options, flags->store);
  add_stack(*options, flags->stack);
  options->duration("--stall-timeout", flags->stall_timeout, "Ends it when the store makes no progress");
  add_format(*options, flags->format);
  options->flag("--strict", flags->strict, "Fail where the cache cannot be had or kept, instead of warning");
  const std::string verb = command.get_name();
  command.final_callback([&invocation, flags, options, execute, verb] {
    invocation.check = [&invocation, flags, options, execute, verb] {
      options->finish();
      if (flags->directory.empty()) throw UsageError(fmt::format("cache {} needs a DIR", verb));
      check_name(*flags, verb);
      invocation.run = [flags, execute](const Session& session) { return execute(*flags, session); };
    };
  });
}

void define_cache_save(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("save", "Record DIR as the newest generation: cache save DIR --app NAME");
  command->footer(kSaveExamples);
  auto flags = std::make_shared<CacheFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  define_verb(*command, invocation, flags, options, save);
  flags->deadline = build::BuildOptions().save_deadline;
  add_cache_exclude(*options, flags->exclude);
  add_compression_level(*options, flags->compression_level);
  add_max_size(*options, flags->max_size);
  options->duration("--save-deadline", flags->deadline, "Then the old cache stays");
}

void define_cache_restore(CLI::App& cache, Invocation& invocation) {
  CLI::App* command =
      cache.add_subcommand("restore", "Make DIR equal the newest generation: cache restore DIR --app NAME");
  command->footer(kRestoreExamples);
  auto flags = std::make_shared<CacheFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  define_verb(*command, invocation, flags, options, restore);
  flags->deadline = build::BuildOptions().restore_deadline;
  options->duration("--restore-deadline", flags->deadline, "Then DIR is empty");
  options->list("--fallback", flags->fallbacks, "Key, or app, whose cache to take where there is none yet")
      ->type_name("KEY");
  options->flag("--replace", flags->replace, "Replace DIR even if it was not restored or saved by hearth");
}

}  // namespace

void define_cache(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("cache", "Keep any directory in the store, without a build");
  command->require_subcommand(0, 1);
  define_wanted({{{"save"}, define_cache_save},
                 {{"restore"}, define_cache_restore},
                 {{"ls"}, define_cache_ls},
                 {{"show"}, define_cache_show},
                 {{"du"}, define_cache_du},
                 {{"diff"}, define_cache_diff},
                 {{"cat"}, define_cache_cat},
                 {{"export", "import"}, define_cache_archive},
                 {{"stats"}, define_cache_stats},
                 {{"verify"}, define_cache_verify},
                 {{"rollback"}, define_cache_rollback},
                 {{"pin", "unpin"}, define_cache_pins},
                 {{"purge"}, define_cache_purge},
                 {{"gc"}, define_cache_gc},
                 {{"expire"}, define_cache_expire}},
                1, *command, invocation);
}

}  // namespace hearth::cli
