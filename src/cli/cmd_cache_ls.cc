// hearth cache ls: the caches of a store.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <nlohmann/json.hpp>

#include "build/last_restore.h"
#include "cache/operator/survey.h"
#include "cache/tree/parallel.h"
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
the store. LAST USE is the newest save, or the newest build that restored it. Exit codes: 0 all was told, 2 usage, 4 APP has no cache, 5 not everything could be read.)";

using Row = std::array<std::string, 9>;

struct Listed {
  cache::CacheSummary cache;
  std::optional<store::StoreTime> restored;  // by a build, after the newest save
};

std::string known_time(std::optional<store::StoreTime> time) {
  return time ? util::utc_timestamp(*time) : "-";
}

Row row_of(const Listed& listed) {
  const cache::CacheSummary& cache = listed.cache;
  return {cache.name.app,
          cache.name.stack,
          cache.name.arch,
          std::to_string(cache.generations),
          std::to_string(cache.newest.entries),
          util::human_size(cache.newest.bytes),
          util::human_size(cache.stored.bytes),
          known_time(cache.last_save),
          known_time(listed.restored ? listed.restored : cache.last_save)};
}

// Words to the left, quantities to the right.
void show(const std::vector<Listed>& caches) {
  constexpr std::size_t kFirstQuantity = 3;
  constexpr std::size_t kLastQuantity = 6;
  std::vector<Row> rows = {{"APP", "STACK", "ARCH", "GENS", "ENTRIES", "SIZE", "STORED", "LAST SAVE", "LAST USE"}};
  for (const Listed& listed : caches) rows.push_back(row_of(listed));
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

nlohmann::json as_json(const Listed& listed) {
  const cache::CacheSummary& cache = listed.cache;
  nlohmann::json told{{"app", cache.name.app},
                      {"stack", cache.name.stack},
                      {"arch", cache.name.arch},
                      {"generations", cache.generations},
                      {"entries", cache.newest.entries},
                      {"bytes", cache.newest.bytes},
                      {"stored_objects", cache.stored.objects},
                      {"stored_bytes", cache.stored.bytes},
                      {"last_save", nullptr},
                      {"last_use", nullptr},
                      {"error", nullptr}};
  if (cache.last_save) told["last_save"] = util::utc_timestamp(*cache.last_save);
  if (listed.restored || cache.last_save) {
    told["last_use"] = known_time(listed.restored ? listed.restored : cache.last_save);
  }
  if (cache.error) told["error"] = cache.error->message;
  return told;
}

// Adds what builds tell of the caches, several at a time.
Result<std::vector<Listed>> with_restores(store::ObjectStore& store, std::vector<cache::CacheSummary> caches,
                                          const std::stop_token& stop) {
  std::vector<Listed> listed;
  for (cache::CacheSummary& cache : caches) listed.push_back({std::move(cache), std::nullopt});
  std::atomic<std::size_t> next = 0;
  const auto work = [&](const std::stop_token& token) -> Result<void> {
    for (std::size_t index = next++; index < listed.size(); index = next++) {
      Listed& one = listed[index];
      if (!one.cache.last_save) continue;
      one.restored = TRY(build::last_restore(store, one.cache.name, *one.cache.last_save, token));
    }
    return {};
  };
  TRY(cache::in_parallel(static_cast<unsigned>(std::min<std::size_t>(cache::thread_count(0), listed.size())), stop,
                         work));
  return listed;
}

int run_cache_ls(const CacheTarget& flags, const Session& session) {
  const Result<store::OpenStore> opened = open_store(flags.store);
  if (!opened) return refuse_of_store(opened.error(), session);
  const std::stop_token stop = session.signals.token();
  Result<std::vector<cache::CacheSummary>> found =
      cache::survey(*opened->store, flags.app, [&](const cache::Name& name) { return is_meant(flags, name); }, stop);
  if (!found) return refuse_of_store(found.error(), session);
  const Result<std::vector<Listed>> caches = with_restores(*opened->store, std::move(*found), stop);
  if (!caches) return refuse_of_store(caches.error(), session);
  if (caches->empty() && !flags.app.empty()) return refuse(no_cache(flags, *opened->store), session);
  if (flags.format == Format::json) {
    nlohmann::json told = nlohmann::json::array();
    for (const Listed& listed : *caches) told.push_back(as_json(listed));
    say_json({{"version", 1}, {"caches", std::move(told)}});
  } else if (caches->empty()) {
    complain(fmt::format("there is no cache in {}", opened->store->description()));
  } else {
    show(*caches);
  }
  int code = static_cast<int>(ExitCode::success);
  for (const auto& [cache, restored] : *caches) {
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
