// hearth cache rollback|pin|unpin: which generation of a cache is in force, and which ones stay.
#include <memory>
#include <nlohmann/json.hpp>

#include "cache/operator/change.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace hearth::cli {

namespace {

constexpr const char* kRollbackExamples = R"(Examples:
  hearth cache rollback blog
  hearth cache rollback blog --to 2 --yes
  hearth cache rollback blog --to d81b357b30523b16 --yes --format json

The next build restores the generation that --to names; those that are newer go aside, where the last three are kept for
a look, and are not in force again. Builds at work that began with one of them save nothing. Generations have numbers, 0
being the newest, and ids; `hearth cache show APP` lists them. Exit codes: 0 done, or nothing to do, 1 declined, 2 usage,
4 there is no such cache or generation, 5 the store failed.)";

constexpr const char* kPinExamples = R"(Examples:
  hearth cache pin blog 0
  hearth cache pin blog d81b357b30523b16
  hearth cache unpin blog d81b357b30523b16

A pinned generation stays, however many newer ones there are, until it is unpinned or the cache is purged; the newest is
restored all the same. Generations have numbers, 0 being the newest, and ids; `hearth cache show APP` lists them. Exit
codes: 0 done, or nothing to do, 2 usage, 4 there is no such cache or generation, 5 the store failed.)";

struct GenerationFlags : CacheTarget {
  std::string which;
  bool yes = false;  // of rollback
};

int tell(const GenerationFlags& flags, const cache::Name& name, const cache::RollbackReport& report) {
  if (flags.format == Format::json) {
    nlohmann::json answer = answer_about(name);
    answer["generation"] = report.generation;
    answer["aside"] = report.aside;
    say_json(answer);
  } else if (report.aside.empty()) {
    say(fmt::format("{}: generation {} is the newest already", title(name), report.generation));
  } else {
    say(fmt::format("{}: generation {} is the newest now, {} aside", title(name), report.generation,
                    plural(report.aside.size(), "generation")));
  }
  return static_cast<int>(ExitCode::success);
}

int roll_back(const GenerationFlags& flags, const Session& session) {
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const std::stop_token stop = session.signals.token();
  store::ObjectStore& store = *found->opened.store;
  const auto before = cache::roll_back(store, found->layout, flags.which, cache::Rehearse::yes, stop);
  if (!before) return refuse_of_store(before.error(), session);
  if (before->aside.empty()) return tell(flags, found->name(), *before);
  std::vector<std::string> details;
  for (const std::string& id : before->aside) details.push_back("generation " + id);
  const std::string what =
      fmt::format("will take out of force, for generation {} of {}:", before->generation, title(found->name()));
  if (const auto code = declined(flags.yes, what, details, session)) return *code;
  // By its id: a number may mean another one by now.
  const auto report = cache::roll_back(store, found->layout, before->generation, cache::Rehearse::no, stop);
  if (!report) return refuse_of_store(report.error(), session);
  return tell(flags, found->name(), *report);
}

using SetPin = Result<cache::PinReport> (*)(store::ObjectStore&, const cache::Layout&, std::string_view,
                                            const std::stop_token&);

int set_pin(const GenerationFlags& flags, const Session& session, SetPin set, std::string_view word) {
  const Result<FoundCache> found = find_cache(flags, session);
  if (!found) return refuse_of_store(found.error(), session);
  const auto report = set(*found->opened.store, found->layout, flags.which, session.signals.token());
  if (!report) return refuse_of_store(report.error(), session);
  if (flags.format == Format::json) {
    nlohmann::json answer = answer_about(found->name());
    answer["generation"] = report->generation;
    answer["changed"] = report->changed;
    answer["pins"] = report->pins;
    say_json(answer);
  } else {
    say(fmt::format("{}: generation {} is {}{}", title(found->name()), report->generation, word,
                    report->changed ? "" : " already"));
  }
  return static_cast<int>(ExitCode::success);
}

int pin(const GenerationFlags& flags, const Session& session) {
  return set_pin(flags, session, cache::pin, "pinned");
}

int unpin(const GenerationFlags& flags, const Session& session) {
  return set_pin(flags, session, cache::unpin, "unpinned");
}

void define_pin(CLI::App& cache, Invocation& invocation, const std::string& verb, const std::string& help,
                int (*execute)(const GenerationFlags&, const Session&)) {
  CLI::App* command = cache.add_subcommand(verb, help);
  command->footer(kPinExamples);
  auto flags = std::make_shared<GenerationFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  command->add_option("GENERATION", flags->which, "Its number (0: the newest) or its id");
  run_on_caches(*command, invocation, flags, options, execute, [verb](const GenerationFlags& filled) {
    if (filled.which.empty()) throw UsageError(fmt::format("cache {} needs a GENERATION: its number or its id", verb));
  });
}

}  // namespace

void define_cache_rollback(CLI::App& cache, Invocation& invocation) {
  CLI::App* command =
      cache.add_subcommand("rollback", "Put an older generation in force: cache rollback APP [--to N|ID]");
  command->footer(kRollbackExamples);
  auto flags = std::make_shared<GenerationFlags>();
  flags->which = "1";
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_cache_target(*command, *options, *flags, Apps::one);
  options->text("--to", flags->which, "The generation that is to be the newest (0: the newest now)")
      ->type_name("N|ID")
      ->capture_default_str();
  add_yes(*options, flags->yes);
  run_on_caches(*command, invocation, flags, options, roll_back);
}

void define_cache_pins(CLI::App& cache, Invocation& invocation) {
  define_pin(cache, invocation, "pin", "Keep a generation, however old it gets: cache pin APP N|ID", pin);
  define_pin(cache, invocation, "unpin", "Keep a generation no longer than others: cache unpin APP N|ID", unpin);
}

}  // namespace hearth::cli
