// hearth cache show: the generations of a cache, or the tree of one of them.
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/generations/inspect.h"
#include "cache/operator/survey.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheShowExamples = R"(Examples:
  hearth cache show blog
  hearth cache show blog --generation 0
  hearth cache show blog --generation d81b357b30523b16 --format json

Generations have numbers, 0 being the newest, and ids that stay. STORED is what a generation consists of in the store,
OWN what no other generation needs. With --generation each line is an entry: type and mode, size, time, path; "h" is
another name (==) of a file. Exit codes: 0 all was told, 2 usage, 4 there is no such cache or generation, 5 not
everything could be read.)";

struct ShowFlags : CacheTarget {
  std::string generation;
};

std::string since(const cache::Trashed& trashed) {
  return trashed.since ? fmt::format(" since {}", util::utc_timestamp(*trashed.since)) : "";
}

void show_generation(std::string_view number, const cache::GenerationDetails& details) {
  const std::string tree =
      details.error ? fmt::format("{:>9}  {:>8}", "?", "?")
                    : fmt::format("{:>9}  {:>8}", details.tree.entries, util::human_size(details.tree.bytes));
  say(fmt::format("{:>5}  {}  {}  {}  {:>8}  {:>8}{}{}", number, details.generation.id,
                  util::utc_timestamp(details.generation.saved), tree, util::human_size(details.objects.bytes),
                  util::human_size(details.own), details.pinned ? "  pinned" : "", details.bad ? "  bad" : ""));
}

void show(const cache::Name& name, const cache::CacheDetails& details) {
  const cache::Head& head = details.head.seen.head;
  say(fmt::format("{}: {}", title(name), plural(details.generations.size(), "generation")));
  if (!details.generations.empty() || !details.aside.empty()) {
    say(fmt::format("{:>5}  {:<16}  {:<20}  {:>9}  {:>8}  {:>8}  {:>8}", "GEN", "ID", "SAVED", "ENTRIES", "SIZE",
                    "STORED", "OWN"));
  }
  for (std::size_t number = 0; number < details.generations.size(); ++number) {
    show_generation(std::to_string(number), details.generations[number]);
  }
  for (const cache::GenerationDetails& aside : details.aside) show_generation("aside", aside);
  say(fmt::format("  stored: {}", amount(details.stored)));
  if (details.trash.objects > 0) say(fmt::format("  waiting for their deletion: {}", amount(details.trash)));
  if (details.unnamed.objects > 0) say(fmt::format("  named by no generation: {}", amount(details.unnamed)));
  for (const cache::Trashed& trashed : head.trash) {
    say(fmt::format("  trash: {}{}", trashed.object.text(), since(trashed)));
  }
  for (const cache::ObjectName& object : head.bad) say(fmt::format("  bad: {}", object.text()));
}

nlohmann::json as_json(const cache::GenerationDetails& details) {
  const bool known = !details.error;
  return {{"id", details.generation.id},
          {"saved", util::utc_timestamp(details.generation.saved)},
          {"entries", known ? nlohmann::json(details.tree.entries) : nlohmann::json()},
          {"bytes", known ? nlohmann::json(details.tree.bytes) : nlohmann::json()},
          {"stored_objects", details.objects.objects},
          {"stored_bytes", details.objects.bytes},
          {"own_bytes", details.own},
          {"pinned", details.pinned},
          {"bad", details.bad},
          {"error", known ? nlohmann::json() : nlohmann::json(details.error->message)}};
}

nlohmann::json as_json(const cache::Stored& stored) {
  return {{"objects", stored.objects}, {"bytes", stored.bytes}};
}

nlohmann::json as_json(const cache::Name& name, const cache::CacheDetails& details) {
  const cache::Head& head = details.head.seen.head;
  nlohmann::json answer = answer_about(name);
  for (const char* list : {"generations", "aside", "bad", "trash"}) answer[list] = nlohmann::json::array();
  for (const auto& generation : details.generations) answer["generations"].push_back(as_json(generation));
  for (const auto& generation : details.aside) answer["aside"].push_back(as_json(generation));
  for (const cache::ObjectName& object : head.bad) answer["bad"].push_back(object.text());
  for (const cache::Trashed& trashed : head.trash) {
    answer["trash"].push_back(
        {{"object", trashed.object.text()},
         {"since", trashed.since ? nlohmann::json(util::utc_timestamp(*trashed.since)) : nlohmann::json()}});
  }
  answer["epoch"] = head.epoch;
  answer["serial"] = head.serial;
  answer["pins"] = head.pins;
  answer["stored"] = as_json(details.stored);
  answer["in_trash"] = as_json(details.trash);
  answer["unnamed"] = as_json(details.unnamed);
  return answer;
}

int show_cache(const FoundCache& found, const ShowFlags& flags, const Session& session) {
  const Result<cache::CacheDetails> details =
      cache::look_into(*found.opened.store, found.layout, session.signals.token());
  if (!details) return refuse_of_store(details.error(), session);
  if (flags.format == Format::json) {
    say_json(as_json(found.name(), *details));
  } else {
    show(found.name(), *details);
  }
  int code = static_cast<int>(ExitCode::success);
  for (const auto* generations : {&details->generations, &details->aside}) {
    for (const cache::GenerationDetails& generation : *generations) {
      if (!generation.error) continue;
      complain(fmt::format("generation {}: {}", generation.generation.id, generation.error->message));
      code = static_cast<int>(ExitCode::store);
    }
  }
  return code;
}

struct Shape {
  char letter;
  std::string_view word;
};

Shape shape_of(cache::EntryKind kind) {
  switch (kind) {
    case cache::EntryKind::directory:
      return {'d', "directory"};
    case cache::EntryKind::file:
      return {'-', "file"};
    case cache::EntryKind::symlink:
      return {'l', "symlink"};
    case cache::EntryKind::hard_link:
      return {'h', "hard_link"};
  }
  return {'?', "unknown"};
}

// As ls and tar have it: "drwxr-xr-x".
std::string mode_text(char letter, unsigned mode) {
  std::string text = std::string(1, letter) + "rwxrwxrwx";
  for (std::size_t bit = 0; bit < 9; ++bit) {
    if ((mode >> (8 - bit) & 1U) == 0) text[bit + 1] = '-';
  }
  if ((mode & S_ISVTX) != 0) text.back() = (mode & S_IXOTH) != 0 ? 't' : 'T';
  return text;
}

std::string mtime_text(std::int64_t nanoseconds) {
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(nanoseconds)};
  return util::utc_timestamp(std::chrono::floor<std::chrono::seconds>(time));
}

// `file`: what stands behind a hard link, else the entry itself.
std::string line_of(const cache::Entry& entry, const cache::Entry& file) {
  const bool is_link = entry.kind == cache::EntryKind::symlink;
  std::string line = fmt::format("{} {:>12} {} {}", mode_text(shape_of(entry.kind).letter, is_link ? 0777U : file.mode),
                                 file.size, mtime_text(file.mtime), util::printable(entry.path.text()));
  if (is_link) line += " -> " + util::printable(entry.target);
  if (entry.kind == cache::EntryKind::hard_link) line += " == " + util::printable(entry.target);
  return line;
}

nlohmann::json as_json(const cache::Entry& entry, const cache::Entry& file) {
  nlohmann::json told{{"path", entry.path.text()}, {"type", shape_of(entry.kind).word}, {"mtime_ns", file.mtime}};
  if (entry.kind != cache::EntryKind::symlink) told["mode"] = fmt::format("{:04o}", file.mode);
  if (entry.kind == cache::EntryKind::file || entry.kind == cache::EntryKind::hard_link) told["bytes"] = file.size;
  if (!entry.target.empty()) told["target"] = std::string(entry.target);
  return told;
}

int show_tree(const FoundCache& found, const ShowFlags& flags, const Session& session) {
  const std::stop_token stop = session.signals.token();
  const Result<cache::OpenedGeneration> opened =
      cache::open_generation(*found.opened.store, found.layout, flags.generation, stop);
  if (!opened) return refuse_of_store(opened.error(), session);
  const cache::Manifest& manifest = opened->manifest;
  nlohmann::json answer = answer_about(found.name());
  answer["generation"] = opened->generation.id;
  answer["saved"] = util::utc_timestamp(opened->generation.saved);
  answer["root"] = {{"mode", fmt::format("{:04o}", manifest.root_mode)}, {"mtime_ns", manifest.root_mtime}};
  Output output;
  std::optional<LongJson> json;
  if (flags.format == Format::json) json.emplace(output, answer, "entries");
  for (std::size_t index = 0; index < manifest.entries.size() && output.is_open(); ++index) {
    if (stop.stop_requested()) return refuse({ErrorKind::cancelled, "interrupted"}, session);
    const cache::Entry entry = manifest.entries[index];
    const cache::Entry file = cache::resolved(manifest, entry);
    if (json) {
      json->add(as_json(entry, file));
    } else {
      output.line(line_of(entry, file));
    }
  }
  if (json) json->finish({});
  return static_cast<int>(ExitCode::success);
}

int run_cache_show(const ShowFlags& flags, const Session& session) {
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  return flags.generation.empty() ? show_cache(*found, flags, session) : show_tree(*found, flags, session);
}

}  // namespace

void define_cache_show(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("show", "Show a cache's generations, or the tree of one: cache show APP");
  command->footer(kCacheShowExamples);
  auto flags = std::make_shared<ShowFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  options->text("--generation", flags->generation, "Show the tree of this generation")->type_name("N|ID");
  run_on_caches(*command, invocation, flags, options, run_cache_show);
}

}  // namespace hearth::cli
