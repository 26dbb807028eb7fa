// hearth cache save|restore: keeps any directory, without a build; and where the other `cache` commands come in.
#include <memory>

#include "build/build.h"
#include "build/transfer.h"
#include "cache/cache.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/shared_options.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kSaveExamples = R"(Examples:
  hearth cache save node_modules --app blog
  hearth cache save target --app tool --store file:///srv/hearth --stack debian-12)";

constexpr const char* kRestoreExamples = R"(Examples:
  hearth cache restore node_modules --app blog
  hearth cache restore target --app tool --store file:///srv/hearth --stack debian-12 --replace --strict

Without --strict a miss, or a store that does not answer, is a warning, and the directory is empty.)";

struct CacheFlags {
  std::string directory;
  std::string app;
  StoreFlags store;
  std::string stack = build::BuildOptions().stack;
  std::chrono::milliseconds deadline{};
  std::chrono::milliseconds stall_timeout = build::BuildOptions().stall_timeout;
  bool strict = false;
  bool replace = false;                                                       // of restore only
  std::uint32_t compression_level = build::BuildOptions().compression_level;  // of save only

  cache::Name name() const { return {app, stack, util::architecture()}; }
};

// How a command ends that could not do what it was for: as an error under --strict, else as a warning.
int fall_short(const CacheFlags& flags, int code, const std::string& message) {
  complain(flags.strict ? message : fmt::format("warning: {}", message));
  return flags.strict ? code : static_cast<int>(ExitCode::success);
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
      say(fmt::format("restored generation {}: {} entries, {}, {} fetched", report.generation, report.entries,
                      util::human_size(report.bytes), util::human_size(report.fetched_bytes)));
      return static_cast<int>(ExitCode::success);
    case cache::RestoreOutcome::miss:
      return fall_short(flags, static_cast<int>(ExitCode::source), fmt::format("{} has no cache yet", flags.app));
    case cache::RestoreOutcome::damaged:
    case cache::RestoreOutcome::unavailable:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        fmt::format("the cache of {} could not be restored", flags.app));
    case cache::RestoreOutcome::late:
      if (session.signals.received() != 0) return ended_late(session);
      return fall_short(flags, ended_late(session), fmt::format("restoring the cache {}", transfer.lateness()));
  }
  return static_cast<int>(ExitCode::internal);
}

int conclude(const CacheFlags& flags, const cache::SaveReport& report, const build::Transfer& transfer,
             const Session& session) {
  warn_all(report.warnings);
  switch (report.outcome) {
    case cache::SaveOutcome::saved:
      say(fmt::format("saved generation {}: {} entries, {}; {} added, {} changed, {} removed, {} uploaded",
                      report.generation, report.entries, util::human_size(report.bytes), report.added, report.changed,
                      report.removed, util::human_size(report.uploaded_bytes)));
      return static_cast<int>(ExitCode::success);
    case cache::SaveOutcome::unchanged:
      say(fmt::format("unchanged since generation {}: {} entries", report.generation, report.entries));
      return static_cast<int>(ExitCode::success);
    case cache::SaveOutcome::superseded:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        "the cache was purged or replaced meanwhile; nothing was saved");
    case cache::SaveOutcome::failed:
      return fall_short(flags, static_cast<int>(ExitCode::store),
                        fmt::format("the cache of {} could not be saved; the old one stays", flags.app));
    case cache::SaveOutcome::late:
      if (session.signals.received() != 0) return ended_late(session);
      return fall_short(flags, ended_late(session),
                        fmt::format("saving the cache {}; the old one stays", transfer.lateness()));
  }
  return static_cast<int>(ExitCode::internal);
}

int refuse(const Error& error, const Session& session) {
  complain(error.message);
  return exit_code(error.kind, session.signals.received());
}

// The part that both verbs share: the store, and the limits.
template <class Report>
int with_store(const CacheFlags& flags, const Session& session,
               std::function<Report(store::ObjectStore&, const std::stop_token&)> work) {
  Result<store::OpenStore> opened = open_store(flags.store);
  if (!opened && opened.error().kind == ErrorKind::invalid) return refuse(opened.error(), session);
  if (!opened) return fall_short(flags, static_cast<int>(ExitCode::store), opened.error().message);
  build::ReportingTransfer<Report> transfer(std::move(opened->store), opened->meter,
                                            {flags.deadline, flags.stall_timeout}, std::move(work),
                                            session.signals.token());
  return conclude(flags, transfer.wait(), transfer.transfer(), session);
}

int restore(const CacheFlags& flags, const Session& session) {
  const std::filesystem::path index = cache::index_path(flags.directory);
  const cache::Replace replace = flags.replace ? cache::Replace::yes : cache::Replace::no;
  const Result<void> room = cache::make_room(flags.directory, index, replace);
  if (!room) return refuse(room.error(), session);
  const auto work = [name = flags.name(), directory = flags.directory, index](store::ObjectStore& store,
                                                                              const std::stop_token& stop) {
    return cache::restore(store, name, directory, index, {}, stop);
  };
  return with_store<cache::RestoreReport>(flags, session, work);
}

int save(const CacheFlags& flags, const Session& session) {
  std::error_code none;
  if (!std::filesystem::is_directory(flags.directory, none)) {
    complain(fmt::format("{} is no directory; nothing was saved", flags.directory));
    return static_cast<int>(ExitCode::usage);
  }
  const cache::SaveOptions options{.threads = 0, .compression_level = static_cast<int>(flags.compression_level)};
  const auto work = [name = flags.name(), directory = flags.directory, options](store::ObjectStore& store,
                                                                                const std::stop_token& stop) {
    return cache::save(store, name, directory, cache::index_path(directory), options, stop);
  };
  return with_store<cache::SaveReport>(flags, session, work);
}

void define_verb(CLI::App& command, Invocation& invocation, const std::shared_ptr<CacheFlags>& flags,
                 const std::shared_ptr<Options>& options, int (*execute)(const CacheFlags&, const Session&)) {
  command.add_option("DIR", flags->directory, "The directory");
  add_app(*options, flags->app);
  add_store(*options, flags->store);
  add_stack(*options, flags->stack);
  options->duration("--stall-timeout", flags->stall_timeout, "Ends it when the store makes no progress");
  options->flag("--strict", flags->strict, "Fail where the cache cannot be had or kept, instead of warning");
  const std::string verb = command.get_name();
  command.final_callback([&invocation, flags, options, execute, verb] {
    invocation.check = [&invocation, flags, options, execute, verb] {
      options->finish();
      if (flags->directory.empty()) throw UsageError(fmt::format("cache {} needs a DIR", verb));
      if (flags->app.empty()) throw UsageError(fmt::format("cache {} needs --app NAME (or HEARTH_APP)", verb));
      const Result<void> named = build::check_app_name(flags->app);
      if (!named) throw UsageError(named.error().message);
      invocation.run = [flags, execute](const Session& session) { return execute(*flags, session); };
    };
  });
}

}  // namespace

void define_cache(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("cache", "Keep any directory in the store, without a build");
  command->require_subcommand(0, 1);

  CLI::App* saving = command->add_subcommand("save", "Record DIR as the newest generation: cache save DIR --app NAME");
  saving->footer(kSaveExamples);
  auto save_flags = std::make_shared<CacheFlags>();
  auto save_options = std::make_shared<Options>(*saving, invocation.environment);
  define_verb(*saving, invocation, save_flags, save_options, save);
  save_flags->deadline = build::BuildOptions().save_deadline;
  add_compression_level(*save_options, save_flags->compression_level);
  save_options->duration("--save-deadline", save_flags->deadline, "Then the old cache stays");

  CLI::App* restoring =
      command->add_subcommand("restore", "Make DIR equal the newest generation: cache restore DIR --app NAME");
  restoring->footer(kRestoreExamples);
  auto restore_flags = std::make_shared<CacheFlags>();
  auto restore_options = std::make_shared<Options>(*restoring, invocation.environment);
  define_verb(*restoring, invocation, restore_flags, restore_options, restore);
  restore_flags->deadline = build::BuildOptions().restore_deadline;
  restore_options->duration("--restore-deadline", restore_flags->deadline, "Then DIR is empty");
  restore_options->flag("--replace", restore_flags->replace,
                        "Replace DIR even if it was not restored or saved by hearth");

  define_cache_verify(*command, invocation);
}

}  // namespace hearth::cli
