// hearth cache du: what is large in a cache.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/generations/inspect.h"
#include "cache/operator/usage.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheDuExamples = R"(Examples:
  hearth cache du blog
  hearth cache du blog node_modules --depth 1
  hearth cache du blog --generation 1 --depth 20 --format json

Sizes are those of the files' contents as they lie in the directory, not as they are stored; a file with several names
counts once. JSON has all of each directory's content. Exit codes: 0 all was told, 2 usage, 4 there is no such cache, generation or path, 5 it could not be read.)";

struct DuFlags : CacheTarget {
  std::string path;
  std::string generation = "0";
  std::uint32_t depth = 2;
  bool full = false;
};

// What is told of a directory's content, unless all of it is asked for.
constexpr std::size_t kToldBelow = 15;

class Picture {
 public:
  Picture(const DuFlags& flags, const Session& session, std::uint64_t whole)
      : flags_(flags),
        whole_(whole),
        bars_(::isatty(STDOUT_FILENO) != 0),
        colours_(wants_colours(STDOUT_FILENO, session.environment)) {}

  void show(const cache::Usage& usage, unsigned level) {
    line(usage.bytes, usage.entries, std::string(std::size_t{2} * level, ' ') + label(usage, level));
    const std::size_t told = flags_.full ? usage.below.size() : std::min(usage.below.size(), kToldBelow);
    for (std::size_t i = 0; i < told; ++i) show(usage.below[i], level + 1);
    if (told == usage.below.size()) return;
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    for (std::size_t i = told; i < usage.below.size(); ++i) {
      bytes += usage.below[i].bytes;
      entries += usage.below[i].entries;
    }
    line(bytes, entries,
         fmt::format("{}({} more)", std::string(std::size_t{2} * (level + 1), ' '), usage.below.size() - told));
  }

 private:
  static std::string label(const cache::Usage& usage, unsigned level) {
    const std::size_t slash = usage.path.rfind('/');
    std::string name = level == 0 || slash == std::string::npos ? usage.path : usage.path.substr(slash + 1);
    if (usage.path.empty()) name = ".";
    return util::printable(name) + (usage.kind == cache::EntryKind::directory ? "/" : "");
  }

  void line(std::uint64_t bytes, std::uint64_t entries, const std::string& text) {
    const double share = whole_ == 0 ? 0.0 : static_cast<double>(bytes) / static_cast<double>(whole_);
    output_.line(fmt::format("{:>8}  {:>9}  {:>5.1f}%  {}{}", util::human_size(bytes), entries, share * 100.0,
                             bars_ ? bar(share) : "", text));
  }

  // Of the whole that was asked about.
  std::string bar(double share) const {
    constexpr std::size_t kWidth = 20;
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(kWidth) + 0.5);
    const std::string blocks(filled, '#');
    const std::string rest(kWidth - filled, ' ');
    return (colours_ ? "\x1b[36m" + blocks + "\x1b[0m" : blocks) + rest + "  ";
  }

  const DuFlags& flags_;
  const std::uint64_t whole_;
  const bool bars_;
  const bool colours_;
  Output output_;
};

nlohmann::json as_json(const cache::Usage& usage) {
  nlohmann::json below = nlohmann::json::array();
  for (const cache::Usage& inner : usage.below) below.push_back(as_json(inner));
  return {{"path", usage.path},
          {"directory", usage.kind == cache::EntryKind::directory},
          {"bytes", usage.bytes},
          {"entries", usage.entries},
          {"below", std::move(below)}};
}

int run_cache_du(const DuFlags& flags, const Session& session) {
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const Result<cache::OpenedGeneration> opened =
      cache::open_generation(*found->opened.store, found->layout, flags.generation, session.signals.token());
  if (!opened) return refuse_of_store(opened.error(), session);
  const Result<cache::Usage> usage = cache::usage(opened->manifest, flags.path, flags.depth);
  if (!usage) return refuse_of_store(usage.error(), session);
  if (flags.format == Format::json) {
    nlohmann::json answer = answer_about(found->name());
    answer["generation"] = opened->generation.id;
    answer["usage"] = as_json(*usage);
    say_json(answer);
  } else {
    Picture(flags, session, usage->bytes).show(*usage, 0);
  }
  return static_cast<int>(ExitCode::success);
}

}  // namespace

void define_cache_du(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("du", "Tell what is large in a cache: cache du APP [PATH]");
  command->footer(kCacheDuExamples);
  auto flags = std::make_shared<DuFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  command->add_option("PATH", flags->path, "Only what is below this path of the cached directory");
  options->text("--generation", flags->generation, "The generation: its number, 0 being the newest, or its id")
      ->type_name("N|ID")
      ->capture_default_str();
  options->number("--depth", flags->depth, "Levels that are told; sums are complete in any case")
      ->capture_default_str();
  options->flag("--full", flags->full, "Tell all of a directory's content, not only the largest");
  run_on_caches(*command, invocation, flags, options, run_cache_du);
}

}  // namespace hearth::cli
