// hearth cache ls: the caches of a store.
#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/survey.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kCacheLsExamples = R"(Examples:
  hearth cache ls
  hearth cache ls blog --store file:///srv/hearth --format json

GENS are the generations in force, ENTRIES and SIZE those of the newest, STORED is what all objects of the cache take in
the store. Exit codes: 0 all was told, 2 usage, 4 APP has no cache, 5 not everything could be read.)";

using Row = std::array<std::string, 8>;

Row row_of(const cache::CacheSummary& cache) {
  return {cache.name.app,
          cache.name.stack,
          cache.name.arch,
          std::to_string(cache.generations),
          std::to_string(cache.newest.entries),
          util::human_size(cache.newest.bytes),
          util::human_size(cache.stored.bytes),
          cache.last_save ? util::utc_timestamp(*cache.last_save) : "-"};
}

// Words to the left, quantities to the right.
void show(const std::vector<cache::CacheSummary>& caches) {
  constexpr std::size_t kFirstQuantity = 3;
  constexpr std::size_t kLastQuantity = 6;
  std::vector<Row> rows = {{"APP", "STACK", "ARCH", "GENS", "ENTRIES", "SIZE", "STORED", "LAST SAVE"}};
  for (const cache::CacheSummary& cache : caches) rows.push_back(row_of(cache));
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  widths.back() = 0;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (column > 0) line += "  ";
      const bool quantity = column >= kFirstQuantity && column <= kLastQuantity;
      line += quantity ? fmt::format("{:>{}}", row[column], widths[column])
                       : fmt::format("{:<{}}", row[column], widths[column]);
    }
    say(line);
  }
}

nlohmann::json as_json(const cache::CacheSummary& cache) {
  nlohmann::json told{{"app", cache.name.app},
                      {"stack", cache.name.stack},
                      {"arch", cache.name.arch},
                      {"generations", cache.generations},
                      {"entries", cache.newest.entries},
                      {"bytes", cache.newest.bytes},
                      {"stored_objects", cache.stored.objects},
                      {"stored_bytes", cache.stored.bytes},
                      {"last_save", nullptr},
                      {"error", nullptr}};
  if (cache.last_save) told["last_save"] = util::utc_timestamp(*cache.last_save);
  if (cache.error) told["error"] = cache.error->message;
  return told;
}

int run_cache_ls(const CacheTarget& flags, const Session& session) {
  const Result<store::OpenStore> opened = open_store(flags.store);
  if (!opened) return refuse_of_store(opened.error(), session);
  const Result<std::vector<cache::CacheSummary>> caches = cache::survey(
      *opened->store, flags.app, [&](const cache::Name& name) { return is_meant(flags, name); },
      session.signals.token());
  if (!caches) return refuse_of_store(caches.error(), session);
  if (caches->empty() && !flags.app.empty()) return refuse(no_cache(flags, *opened->store), session);
  if (flags.format == Format::json) {
    nlohmann::json told = nlohmann::json::array();
    for (const cache::CacheSummary& cache : *caches) told.push_back(as_json(cache));
    say_json({{"version", 1}, {"caches", std::move(told)}});
  } else if (caches->empty()) {
    complain(fmt::format("there is no cache in {}", opened->store->description()));
  } else {
    show(*caches);
  }
  int code = static_cast<int>(ExitCode::success);
  for (const cache::CacheSummary& cache : *caches) {
    if (!cache.error) continue;
    complain(fmt::format("{}: {}", title(cache.name), cache.error->message));
    code = static_cast<int>(ExitCode::store);
  }
  return code;
}

}  // namespace

void define_cache_ls(CLI::App& cache, Invocation& invocation) {
  CLI::App* command = cache.add_subcommand("ls", "List the caches of the store: cache ls [APP]");
  command->footer(kCacheLsExamples);
  auto flags = std::make_shared<CacheTarget>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::any);
  run_on_caches(*command, invocation, flags, options, run_cache_ls);
}

}  // namespace hearth::cli
