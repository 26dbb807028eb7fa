// hearth cache export|import: a generation as an archive file, and an archive file as a generation.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "build/build.h"
#include "build/cache_archive.h"
#include "cache/generations/inspect.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/file.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kExportExamples = R"(Examples:
  hearth cache export blog blog-cache.tar.zst
  hearth cache export blog - --generation 1 | tar -tv

The name of FILE tells the format: .tar, .tar.gz, .tgz or .tar.zst; "-" is a plain tar on standard output. The same
generation gives the same bytes. FILE is replaced, and only by a complete archive. Exit codes: 0 it was written, 2 usage,
4 there is no such cache or generation, 5 it could not be read, or not be written.)";

constexpr const char* kImportExamples = R"(Examples:
  hearth cache import blog blog-cache.tar.zst
  hearth cache import blog cache.tgz --stack heroku-24
  zcat cache.tgz | hearth cache import blog -

Any tar will do (plain, gzip, zstd, xz, bzip2), such as the cache.tgz of older builders; "-" is standard input. It becomes
the newest generation; those before stay for a rollback. An archive with an absolute path, a "..", a write through a
link or a device is refused. Exit codes: 0 it was saved, 2 usage or an archive that cannot be used, 4 FILE is not there
or damaged, 5 the store failed, 70 this machine failed (no space, no permission).)";

struct ExportFlags : CacheTarget {
  std::string file;
  std::string generation = "0";
};

struct ImportFlags : CacheTarget {
  std::string file;
  std::string temporary = "/var/tmp";
  std::uint32_t compression_level = cache::kDefaultCompressionLevel;
};

Result<build::Exported> write_archive(const ExportFlags& flags, const FoundCache& found,
                                      const cache::OpenedGeneration& opened, const std::stop_token& stop) {
  store::ObjectStore& store = *found.opened.store;
  if (flags.file != "-") {
    const build::ArchiveFormat format = build::archive_format_of(flags.file).value();
    return build::export_cache(store, found.layout, opened, format, std::filesystem::path(flags.file), stop);
  }
  util::Fd out(STDOUT_FILENO);
  Result<build::Exported> done = build::export_cache(store, found.layout, opened, build::ArchiveFormat::tar, out, stop);
  out.release();
  return done;
}

int run_export(const ExportFlags& flags, const Session& session) {
  const std::stop_token stop = session.signals.token();
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const Result<cache::OpenedGeneration> opened =
      cache::open_generation(*found->opened.store, found->layout, flags.generation, stop);
  if (!opened) return refuse_of_store(opened.error(), session);
  const Result<build::Exported> exported = write_archive(flags, *found, *opened, stop);
  if (!exported) return refuse_of_store(exported.error(), session);
  const cache::TreeSize size = cache::size_of(opened->manifest);
  const std::string told =
      fmt::format("exported generation {}: {}, {}, as {} of archive", opened->generation.id,
                  plural(size.entries, "entry"), util::human_size(size.bytes), util::human_size(exported->bytes));
  if (flags.file == "-") {
    complain(told);
  } else if (flags.format == Format::text) {
    say(told);
  } else {
    nlohmann::json answer = answer_about(found->name());
    answer["generation"] = opened->generation.id;
    answer["entries"] = size.entries;
    answer["bytes"] = size.bytes;
    answer["archive"] = {{"bytes", exported->bytes}, {"sha256", exported->sha256.hex()}};
    say_json(answer);
  }
  return static_cast<int>(ExitCode::success);
}

int conclude(const ImportFlags& flags, const cache::Name& name, const build::Imported& imported,
             const Session& session) {
  const cache::SaveReport& report = imported.save;
  for (const std::string& warning : report.warnings) complain(fmt::format("warning: {}", warning));
  const bool saved = report.outcome == cache::SaveOutcome::saved || report.outcome == cache::SaveOutcome::unchanged;
  if (flags.format == Format::json) {
    nlohmann::json answer = answer_about(name);
    answer["outcome"] = cache::name(report.outcome);
    answer["generation"] = report.generation;
    answer["entries"] = report.entries;
    answer["bytes"] = report.bytes;
    answer["uploaded_bytes"] = report.uploaded_bytes;
    answer["uploaded_objects"] = report.uploaded_objects;
    say_json(answer);
  } else if (report.outcome == cache::SaveOutcome::saved) {
    say(fmt::format("imported as generation {} of {}: {}, {}; {} uploaded", report.generation, title(name),
                    plural(report.entries, "entry"), util::human_size(report.bytes),
                    util::human_size(report.uploaded_bytes)));
  } else if (saved) {
    say(fmt::format("{} holds just that already, as generation {}", title(name), report.generation));
  }
  if (saved) return static_cast<int>(ExitCode::success);
  if (report.outcome == cache::SaveOutcome::late) return exit_code(ErrorKind::cancelled, session.signals.received());
  complain(fmt::format("the archive could not be saved as the cache of {}", flags.app));
  return static_cast<int>(ExitCode::store);
}

Result<util::Fd> open_archive(const std::string& file) {
  if (file != "-") return util::open_file(file, O_RDONLY);
  util::Fd copy(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "standard input");
  return copy;
}

int run_import(const ImportFlags& flags, const Session& session) {
  const Result<util::Fd> archive = open_archive(flags.file);
  if (!archive) return refuse_local(archive.error(), session);
  const Result<store::OpenStore> opened = open_store(flags.store);
  if (!opened) return refuse_of_store(opened.error(), session);
  // A cache is made where there is none, so nothing is guessed from those that there are.
  const cache::Name name{.app = flags.app,
                         .stack = flags.stack.empty() ? build::BuildOptions().stack : flags.stack,
                         .arch = flags.arch.empty() ? util::architecture() : flags.arch};
  const cache::SaveOptions options{.threads = 0,
                                   .transfers = flags.store.transfers,
                                   .compression_level = static_cast<int>(flags.compression_level),
                                   .max_bytes = 0,
                                   .exclude = {},
                                   .as = cache::SaveAs::newest,
                                   .progress = nullptr};
  const Result<build::Imported> imported =
      build::import_cache(*opened->store, name, *archive, flags.temporary, options, session.signals.token());
  if (imported) return conclude(flags, name, *imported, session);
  const int code = refuse_local(imported.error(), session);
  return imported.error().kind == ErrorKind::corrupt ? static_cast<int>(ExitCode::source) : code;
}

void define_export(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("export", "Write a generation as a tar: cache export APP FILE");
  command->footer(kExportExamples);
  auto flags = std::make_shared<ExportFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  command->add_option("FILE", flags->file, "Where to write it: *.tar, *.tar.gz, *.tgz, *.tar.zst, or - for stdout");
  options->text("--generation", flags->generation, "The generation: its number, 0 being the newest, or its id")
      ->type_name("N|ID")
      ->capture_default_str();
  run_on_caches(*command, invocation, flags, options, run_export, [](const ExportFlags& given) {
    if (given.file.empty()) throw UsageError("cache export needs a FILE, or -");
    if (given.file != "-" && !build::archive_format_of(given.file)) {
      throw UsageError(fmt::format("{}: the name has to end in .tar, .tar.gz, .tgz or .tar.zst", given.file));
    }
    if (given.file == "-" && given.format == Format::json) {
      throw UsageError("the archive goes to standard output, so --format json cannot");
    }
  });
}

void define_import(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("import", "Save a tar as the newest generation: cache import APP FILE");
  command->footer(kImportExamples);
  auto flags = std::make_shared<ImportFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  command->add_option("FILE", flags->file, "The archive, or - for standard input");
  options->path("--temporary", flags->temporary, "Directory to unpack in")->capture_default_str();
  add_compression_level(*options, flags->compression_level);
  run_on_caches(*command, invocation, flags, options, run_import, [](const ImportFlags& given) {
    if (given.file.empty()) throw UsageError("cache import needs a FILE, or -");
  });
}

}  // namespace

void define_cache_archive(CLI::App& cache, Invocation& invocation) {
  define_export(cache, invocation);
  define_import(cache, invocation);
}

}  // namespace hearth::cli
