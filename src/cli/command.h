// What the commands of `hearth` have in common: one function per command defines its options and says what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/signals.h"

namespace hearth::cli {

using Environment = std::map<std::string, std::string>;

// What a command finds when it runs.
struct Session {
  const Signals& signals;
  const Environment& environment;
};

// Filled while the line is parsed. `check` completes and checks the command's settings (UsageError) and sets `run`,
// whose value is the exit code; it is called when no word of the line was left over.
struct Invocation {
  const Environment& environment;
  std::vector<std::string> behind_dashes;  // the arguments after "--"
  std::function<void()> check;
  std::function<int(const Session&)> run;
  std::vector<std::string> only;  // the command to define, word by word; empty: all of them
};

// Commands, and what defines them.
struct Definition {
  std::vector<std::string_view> names;
  void (*define)(CLI::App& parent, Invocation& invocation);
};

// Defines those that `invocation.only` asks for. `depth`: how many words of it stand before these commands.
void define_wanted(const std::vector<Definition>& definitions, std::size_t depth, CLI::App& parent,
                   Invocation& invocation);

// A setting that cannot be used, found after the parser's own checks; ends in the usage exit code.
class UsageError : public CLI::ValidationError {
 public:
  explicit UsageError(const std::string& message) : CLI::ValidationError(message) {}
};

// One line on stderr: "hearth: <message>".
void complain(const std::string& message);

// One line on stdout.
void say(const std::string& line);

void define_build(CLI::App& root, Invocation& invocation);
void define_test(CLI::App& root, Invocation& invocation);
void define_run(CLI::App& root, Invocation& invocation);
void define_cache(CLI::App& root, Invocation& invocation);
void define_cache_archive(CLI::App& cache, Invocation& invocation);
void define_cache_cat(CLI::App& cache, Invocation& invocation);
void define_cache_diff(CLI::App& cache, Invocation& invocation);
void define_cache_du(CLI::App& cache, Invocation& invocation);
void define_cache_expire(CLI::App& cache, Invocation& invocation);
void define_cache_gc(CLI::App& cache, Invocation& invocation);
void define_cache_ls(CLI::App& cache, Invocation& invocation);
void define_cache_pins(CLI::App& cache, Invocation& invocation);
void define_cache_purge(CLI::App& cache, Invocation& invocation);
void define_cache_rollback(CLI::App& cache, Invocation& invocation);
void define_cache_show(CLI::App& cache, Invocation& invocation);
void define_cache_verify(CLI::App& cache, Invocation& invocation);
void define_cache_stats(CLI::App& cache, Invocation& invocation);
void define_builds(CLI::App& root, Invocation& invocation);
void define_doctor(CLI::App& root, Invocation& invocation);
void define_completion(CLI::App& root, Invocation& invocation);
void define_man(CLI::App& root, Invocation& invocation);
void define_store(CLI::App& root, Invocation& invocation);
void define_finish_save(CLI::App& root, Invocation& invocation);

}  // namespace hearth::cli
