// hearth cache cat: the content of one file of a cache.
#include <unistd.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cache/generations/inspect.h"
#include "cache/operator/content_reader.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheCatExamples = R"(Examples:
  hearth cache cat blog package-lock.json
  hearth cache cat blog ccache/ccache.conf --generation 1 > old.conf

Every byte is verified before it is written. Exit codes: 0 the whole file was written, 2 usage (a directory or a symbolic
link has no content), 4 there is no such cache, generation or file, 5 it could not be read, or not be written.)";

struct CatFlags : CacheTarget {
  std::string path;
  std::string generation = "0";
};

Result<std::uint32_t> find_file(const cache::Manifest& manifest, const std::string& path) {
  const std::optional<std::size_t> found = manifest.entries.find(cache::entry_path(path));
  if (!found) return fail(ErrorKind::not_found, "there is no {} in this generation", util::shown(path));
  const cache::Entry entry = manifest.entries[*found];
  if (entry.kind == cache::EntryKind::directory) {
    return fail(ErrorKind::invalid, "{} is a directory; cache show and cache du tell what is in it", util::shown(path));
  }
  if (entry.kind == cache::EntryKind::symlink) {
    return fail(ErrorKind::invalid, "{} is a symbolic link to {}", util::shown(path), util::shown(entry.target));
  }
  return static_cast<std::uint32_t>(*found);
}

Result<void> write_out(cache::ContentReader& reader) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::vector<std::byte> piece(kPiece);
  while (true) {
    const std::size_t count = TRY(reader.read(piece));
    if (count == 0) return {};
    TRY(within("standard output", util::write_full(STDOUT_FILENO, std::span(piece).first(count))));
  }
}

Result<void> cat(const CatFlags& flags, const Session& session) {
  const FoundCache found = TRY(find_cache(flags, session));
  store::ObjectStore& store = *found.opened.store;
  const std::stop_token stop = session.signals.token();
  const cache::OpenedGeneration opened = TRY(cache::open_generation(store, found.layout, flags.generation, stop));
  const std::uint32_t file = TRY(find_file(opened.manifest, flags.path));
  // Of a hard link the content is that of the file.
  const cache::Entry entry = cache::resolved(opened.manifest, opened.manifest.entries[file]);
  const auto content = static_cast<std::uint32_t>(opened.manifest.entries.find(entry.path).value());
  cache::ContentReader reader(store, found.layout, opened, {content}, stop);
  reader.open(content);
  return within(util::shown(flags.path), write_out(reader));
}

int run_cache_cat(const CatFlags& flags, const Session& session) {
  const Result<void> done = cat(flags, session);
  return done ? static_cast<int>(ExitCode::success) : refuse_of_store(done.error(), session);
}

}  // namespace

void define_cache_cat(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("cat", "Write a cached file to standard output: cache cat APP PATH");
  command->footer(kCacheCatExamples);
  auto flags = std::make_shared<CatFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_location(*command, *options, *flags, Apps::one);
  command->add_option("PATH", flags->path, "The file's path in the cached directory");
  options->text("--generation", flags->generation, "The generation: its number, 0 being the newest, or its id")
      ->type_name("N|ID")
      ->capture_default_str();
  run_on_caches(*command, invocation, flags, options, run_cache_cat, [](const CatFlags& given) {
    if (given.path.empty()) throw UsageError("cache cat needs the PATH of a file");
  });
}

}  // namespace hearth::cli
