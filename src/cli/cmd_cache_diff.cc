// hearth cache diff: how one generation differs from another, and what the save of the newer one uploaded for it.
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cache/generations/inspect.h"
#include "cache/operator/diff.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheDiffExamples = R"(Examples:
  hearth cache diff blog
  hearth cache diff blog 2 0 --files
  hearth cache diff blog d81b357b30523b16 0 --format json

Without FROM and TO: the newest generation against the one before. An entry that changed counts once, for the first of
these that differs: type, content, target (of a link), mode, times. UPLOADED is content that the save of TO stored,
before compression. Exit codes: 0 all was told, 2 usage, 4 there is no such cache or generation, 5 it could not be
read.)";

struct DiffFlags : CacheTarget {
  std::string from = "1";
  std::string to = "0";
  std::uint32_t depth = 2;
  bool files = false;
};

// Directories that are told in text.
constexpr std::size_t kToldDirectories = 20;

struct Pair {
  cache::OpenedGeneration older;
  cache::OpenedGeneration newer;
};

// Of one HEAD, so that both numbers mean what they meant together.
Result<Pair> open_both(const FoundCache& found, const DiffFlags& flags, const std::stop_token& stop) {
  store::ObjectStore& store = *found.opened.store;
  const cache::HeadRead read = TRY(cache::read_usable_head(store, found.layout, stop));
  const cache::Head& head = read.seen.head;
  const cache::Generation* older = TRY(cache::choose_generation(head, flags.from, cache::Among::in_force_and_aside));
  const cache::Generation* newer = TRY(cache::choose_generation(head, flags.to, cache::Among::in_force_and_aside));
  Pair pair;
  pair.older = TRY(cache::open_generation(store, found.layout, head, *older, stop));
  pair.newer = TRY(cache::open_generation(store, found.layout, head, *newer, stop));
  return pair;
}

std::string sizes_of(const cache::Difference& difference) {
  switch (difference.change) {
    case cache::Change::added:
      return util::human_size(difference.after);
    case cache::Change::removed:
      return util::human_size(difference.before);
    case cache::Change::type:
    case cache::Change::content:
      return fmt::format("{} -> {}", util::human_size(difference.before), util::human_size(difference.after));
    case cache::Change::target:
    case cache::Change::mode:
    case cache::Change::times:
      break;
  }
  return "";
}

std::string line_of(const cache::Difference& difference) {
  const std::string uploaded = difference.uploaded == 0 ? "" : util::human_size(difference.uploaded);
  return fmt::format("{:<8} {:>20}  {:>8}  {}", name(difference.change), sizes_of(difference), uploaded,
                     util::printable(difference.path.text()));
}

nlohmann::json as_json(const cache::Difference& difference) {
  return {{"path", difference.path.text()},
          {"change", name(difference.change)},
          {"bytes_before", difference.before},
          {"bytes_after", difference.after},
          {"uploaded_bytes", difference.uploaded}};
}

nlohmann::json as_json(const cache::ChangeSum& sum) {
  return {{"entries", sum.entries},
          {"bytes_before", sum.before},
          {"bytes_after", sum.after},
          {"uploaded_bytes", sum.uploaded}};
}

constexpr std::array kAllChanges = {cache::Change::added,   cache::Change::removed, cache::Change::type,
                                    cache::Change::content, cache::Change::target,  cache::Change::mode,
                                    cache::Change::times};
static_assert(kAllChanges.size() == cache::kChanges);

std::string when(const cache::OpenedGeneration& opened) {
  return fmt::format("{} ({})", opened.generation.id, util::utc_timestamp(opened.generation.saved));
}

void show_changes(const cache::Diff& diff) {
  for (const cache::Change change : kAllChanges) {
    const cache::ChangeSum& sum = diff.of(change);
    if (sum.entries == 0) continue;
    const std::uint64_t bytes = change == cache::Change::removed ? sum.before : sum.after;
    say(fmt::format("  {:<9} {:>9}  {:>8}{}", name(change), sum.entries, util::human_size(bytes),
                    sum.uploaded == 0 ? "" : fmt::format("  ({} uploaded)", util::human_size(sum.uploaded))));
  }
  say(fmt::format("  {:<9} {:>9}", "unchanged", diff.unchanged));
}

void show_upload(const cache::Upload& upload) {
  say(fmt::format("The save uploaded {}: {} of packs and {} of manifest, for {} of content.",
                  util::human_size(upload.pack_bytes + upload.manifest_bytes), util::human_size(upload.pack_bytes),
                  util::human_size(upload.manifest_bytes), util::human_size(upload.content_bytes)));
  if (upload.known_bytes == 0) return;
  say(fmt::format("Of it {} were there before, and were stored anew{}.", util::human_size(upload.known_bytes),
                  upload.packs == 0 ? ": the content of a small cache lies in its manifest"
                                    : ": their pack was mostly waste, or damaged, or the cache had been small"));
}

void show_directories(const cache::DirectorySums& sums) {
  const std::vector<cache::DirectorySums::Directory> directories = sums.sorted();
  if (directories.empty()) return;
  say(fmt::format("{:>9}  {:>9}  {:>9}  {:>8}  DIRECTORY", "ADDED", "REMOVED", "CHANGED", "SIZE"));
  for (std::size_t i = 0; i < std::min(directories.size(), kToldDirectories); ++i) {
    const cache::DirectorySums::Directory& directory = directories[i];
    say(fmt::format("{:>9}  {:>9}  {:>9}  {:>8}  {}/", directory.added.entries, directory.removed.entries,
                    directory.changed.entries, util::human_size(directory.bytes()),
                    directory.path.empty() ? "." : util::printable(directory.path)));
  }
  if (directories.size() > kToldDirectories)
    say(fmt::format("  and {} more directories", directories.size() - kToldDirectories));
}

// What is known once everything was compared.
nlohmann::json as_json(const cache::Diff& diff, const cache::DirectorySums& sums) {
  nlohmann::json answer;
  for (const cache::Change change : kAllChanges) {
    answer["changes"][std::string(name(change))] = as_json(diff.of(change));
  }
  answer["unchanged"] = diff.unchanged;
  const cache::Upload& upload = diff.upload;
  answer["upload"] = {{"objects", upload.packs + 1},
                      {"pack_bytes", upload.pack_bytes},
                      {"manifest_bytes", upload.manifest_bytes},
                      {"content_bytes", upload.content_bytes},
                      {"known_content_bytes", upload.known_bytes}};
  answer["directories"] = nlohmann::json::array();
  for (const cache::DirectorySums::Directory& directory : sums.sorted()) {
    answer["directories"].push_back({{"path", directory.path},
                                     {"added", as_json(directory.added)},
                                     {"removed", as_json(directory.removed)},
                                     {"changed", as_json(directory.changed)}});
  }
  return answer;
}

// Tells the differences as they are found, and the sums at the end.
class Teller {
 public:
  Teller(const DiffFlags& flags, const cache::Name& cache, const Pair& pair)
      : flags_(flags), cache_(cache), pair_(pair), sums_(flags.depth) {}

  void tell(const cache::Difference& difference) {
    begin();
    sums_.add(difference);
    if (!flags_.files) return;
    if (json_) {
      json_->add(as_json(difference));
    } else {
      output_.line(line_of(difference));
    }
  }

  void finish(const cache::Diff& diff) {
    begin();
    if (!diff.warning.empty()) complain(fmt::format("warning: {}", diff.warning));
    if (json_) {
      json_->finish(as_json(diff, sums_));
      return;
    }
    output_.flush();
    show_changes(diff);
    show_upload(diff.upload);
    if (!flags_.files) show_directories(sums_);
  }

 private:
  void begin() {
    if (std::exchange(begun_, true)) return;
    if (flags_.format == Format::text) {
      output_.line(fmt::format("{}: {} -> {}", title(cache_), when(pair_.older), when(pair_.newer)));
      return;
    }
    nlohmann::json answer = answer_about(cache_);
    answer["from"] = pair_.older.generation.id;
    answer["to"] = pair_.newer.generation.id;
    json_.emplace(output_, answer, "files");
  }

  const DiffFlags& flags_;
  const cache::Name& cache_;
  const Pair& pair_;
  cache::DirectorySums sums_;
  Output output_;
  std::optional<LongJson> json_;  // of Format::json, once begun
  bool begun_ = false;
};

int run_cache_diff(const DiffFlags& flags, const Session& session) {
  const std::stop_token stop = session.signals.token();
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const Result<Pair> pair = open_both(*found, flags, stop);
  if (!pair) return refuse_of_store(pair.error(), session);
  Teller teller(flags, found->name(), *pair);
  const auto visit = [&](const cache::Difference& difference) { teller.tell(difference); };
  // It fails before the first difference, or not at all.
  const Result<cache::Diff> diff =
      cache::diff(*found->opened.store, found->layout, pair->older, pair->newer, visit, stop);
  if (!diff) return refuse_of_store(diff.error(), session);
  teller.finish(*diff);
  return static_cast<int>(ExitCode::success);
}

}  // namespace

void define_cache_diff(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand(
      "diff", "Tell how two generations differ, and what was uploaded for it: cache diff APP [FROM TO]");
  command->footer(kCacheDiffExamples);
  auto flags = std::make_shared<DiffFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  const CLI::Option* from = command->add_option("FROM", flags->from, "The older generation: its number, or its id");
  const CLI::Option* to = command->add_option("TO", flags->to, "The newer one");
  options->number("--depth", flags->depth, "Levels of directories that differences are summed up for")
      ->capture_default_str();
  options->flag("--files", flags->files, "Tell each entry that differs");
  run_on_caches(*command, invocation, flags, options, run_cache_diff, [from, to](const DiffFlags& /*flags*/) {
    if (from->count() != to->count()) throw UsageError("cache diff takes two generations, FROM and TO, or none");
  });
}

}  // namespace hearth::cli
