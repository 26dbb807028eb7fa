#include "cli/cache_target.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "build/build.h"
#include "cache/generations/inspect.h"
#include "cli/exit_code.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

// A line of the terminal, without its end; "" at the end of input and after a signal.
std::string ask(std::string_view question, const Session& session) {
  constexpr int kPatience = 100;  // milliseconds until a signal is looked for
  std::ignore = util::write_full(STDERR_FILENO, question);
  std::string line;
  std::array<char, 1> byte{};
  while (session.signals.received() == 0) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&input, 1, kPatience) <= 0) continue;
    if (::read(STDIN_FILENO, byte.data(), byte.size()) != 1 || byte[0] == '\n') return line;
    line += byte[0];
  }
  return "";
}

}  // namespace

nlohmann::json answer_about(const cache::Name& name) {
  return {{"version", 1}, {"app", name.app}, {"stack", name.stack}, {"arch", name.arch}};
}

std::string title(const cache::Name& name) {
  return fmt::format("{} ({}, {})", name.app, name.stack, name.arch);
}

bool is_meant(const CacheTarget& target, const cache::Name& name) {
  return (target.stack.empty() || name.stack == target.stack) && (target.arch.empty() || name.arch == target.arch);
}

std::string amount(const cache::Stored& stored) {
  return fmt::format("{}, {}", plural(stored.objects, "object"), util::human_size(stored.bytes));
}

void add_cache_target(CLI::App& command, Options& options, CacheTarget& target, Apps apps) {
  add_cache_location(command, options, target, apps);
  add_format(options, target.format);
}

void add_cache_location(CLI::App& command, Options& options, CacheTarget& target, Apps apps) {
  target.apps = apps;
  command.add_option("APP", target.app, apps == Apps::any ? "The app (default: all)" : "The app");
  if (apps == Apps::one_or_all) options.flag("--all", target.all, "All caches of the store");
  add_store(options, target.store);
  options.text("--stack", target.stack, "Only the cache of this stack (default: whichever there is)")
      ->type_name("NAME");
  options.text("--arch", target.arch, "Only the cache of this architecture (default: whichever there is)")
      ->type_name("NAME");
}

void check_cache_target(const CLI::App& command, const CacheTarget& target) {
  const std::string name = "cache " + command.get_name();
  if (target.all && !target.app.empty()) throw UsageError(name + " takes an APP or --all, not both");
  if (target.app.empty() && target.apps == Apps::one) throw UsageError(name + " needs an APP");
  if (target.app.empty() && target.apps == Apps::one_or_all && !target.all) {
    throw UsageError(name + " needs an APP, or --all");
  }
  if (target.app.empty()) return;
  const Result<void> named = build::check_app_name(target.app);
  if (!named) throw UsageError(named.error().message);
}

Error no_cache(const CacheTarget& target, const store::ObjectStore& store) {
  const std::string of_stack = target.stack.empty() ? "" : fmt::format(" for the stack {}", target.stack);
  const std::string of_arch = target.arch.empty() ? "" : fmt::format(" for {}", target.arch);
  return {ErrorKind::not_found,
          fmt::format("{} has no cache{}{} in {}", target.app, of_stack, of_arch, store.description())};
}

Result<FoundCaches> find_caches(const CacheTarget& target, const Session& session) {
  FoundCaches found;
  found.opened = TRY(open_store(target.store));
  store::ObjectStore& store = *found.opened.store;
  const std::stop_token stop = session.signals.token();
  found.names = TRY(target.app.empty() ? cache::find_caches(store, stop) : cache::find_caches(store, target.app, stop));
  std::erase_if(found.names, [&](const cache::Name& name) { return !is_meant(target, name); });
  if (found.names.empty() && !target.app.empty()) {
    return std::unexpected(no_cache(target, store));
  }
  return found;
}

Result<FoundCache> find_cache(const CacheTarget& target, const Session& session) {
  FoundCaches found = TRY(find_caches(target, session));
  if (found.names.size() > 1) {
    std::string names;
    for (const cache::Name& name : found.names) {
      names += fmt::format("{}{}-{}", names.empty() ? "" : ", ", name.stack, name.arch);
    }
    return fail(ErrorKind::invalid, "{} has several caches: choose with --stack and --arch among {}", target.app,
                names);
  }
  cache::Layout layout = TRY(cache::Layout::of(found.names.front()));
  return FoundCache{.opened = std::move(found.opened), .layout = std::move(layout)};
}

int store_exit_code(const Error& error, const Session& session) {
  const bool of_store = error.kind == ErrorKind::io;
  return of_store ? static_cast<int>(ExitCode::store) : exit_code(error.kind, session.signals.received());
}

int refuse(const Error& error, const Session& session) {
  complain(error.message);
  return exit_code(error.kind, session.signals.received());
}

int refuse_local(const Error& error, const Session& session) {
  const bool ours = error.kind == ErrorKind::denied || error.kind == ErrorKind::conflict;
  return refuse({ours ? ErrorKind::io : error.kind, error.message}, session);
}

int refuse_of_store(const Error& error, const Session& session) {
  complain(error.message);
  return store_exit_code(error, session);
}

void add_yes(Options& options, bool& yes) {
  options.flag("--yes", yes, "Do it without asking");
}

std::optional<int> declined(bool yes, std::string_view what, const std::vector<std::string>& details,
                            const Session& session) {
  complain(std::string(what));
  for (const std::string& detail : details) std::ignore = util::write_full(STDERR_FILENO, "  " + detail + "\n");
  if (yes) return std::nullopt;
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) {
    complain("nothing was done: there is no terminal to ask on, and --yes was not given");
    return static_cast<int>(ExitCode::usage);
  }
  const std::string answer = ask("Go on? [y/N] ", session);
  if (answer == "y" || answer == "yes") return std::nullopt;
  if (session.signals.received() != 0) return exit_code(ErrorKind::cancelled, session.signals.received());
  complain("nothing was done");
  return static_cast<int>(ExitCode::app_failed);
}

}  // namespace hearth::cli
