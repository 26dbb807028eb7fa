#include <sys/stat.h>

#include <csignal>
#include <cstring>

#include "buildpack/buildpack.h"
#include "buildpack/environment.h"
#include "buildpack/yaml.h"
#include "util/text.h"

namespace hearth::buildpack {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxYaml = std::size_t{1} << 20;
constexpr std::size_t kMaxDetect = std::size_t{64} << 10;
constexpr std::size_t kMaxName = 200;

// Arguments: number of files to source, the files, the command and its arguments. Nothing is pasted into the text. The
// positional parameters are cleared first, since a sourced file sees, and may change, those of its caller. What an
// `export` prints goes to stderr, away from output that is parsed. A script without "#!" runs as a shell's would.
constexpr const char* kWrapper = R"(hearth_exports=("${@:2:$1}")
shift $(($1 + 1))
hearth_command=("$@")
set --
for hearth_export in "${hearth_exports[@]}"; do
  if [ -f "$hearth_export" ]; then . "$hearth_export" >&2; fi
done
exec "${hearth_command[@]}")";

constexpr const char* kTestWrapper = R"(hearth_command=("$@")
set --
{}exec "${{hearth_command[@]}}")";

using Earlier = std::vector<Buildpack>;

sandbox::Command wrapped(const Context& context, const Earlier& earlier, const std::vector<std::string>& command,
                         sandbox::Streams streams) {
  std::vector<std::string> argv = {
      "/bin/bash", "--noprofile", "--norc", "-c", kWrapper, "hearth", std::to_string(earlier.size())};
  for (const Buildpack& buildpack : earlier) {
    argv.push_back((context.sandbox.inside(buildpack.directory) / "export").string());
  }
  argv.insert(argv.end(), command.begin(), command.end());
  return {.argv = std::move(argv),
          .environment = context.environment,
          .directory = context.sandbox.inside(context.paths.build),
          .streams = streams};
}

std::string program(const Context& context, const Buildpack& buildpack, std::string_view file) {
  return (context.sandbox.inside(buildpack.directory) / file).string();
}

// BUILD_DIR CACHE_DIR ENV_DIR behind the program.
std::vector<std::string> with_directories(const Context& context, std::string program_path) {
  return {std::move(program_path), context.sandbox.inside(context.paths.build).string(),
          context.sandbox.inside(context.paths.cache).string(), context.sandbox.inside(context.paths.env).string()};
}

enum class Presence { absent, empty, not_executable, executable };

Presence presence(const fs::path& file) {
  struct stat status = {};
  if (stat(file.c_str(), &status) != 0) {
    // A link may lead to something that only the sandbox shows.
    return lstat(file.c_str(), &status) == 0 && S_ISLNK(status.st_mode) ? Presence::executable : Presence::absent;
  }
  if (!S_ISREG(status.st_mode)) return Presence::absent;
  if (status.st_size == 0) return Presence::empty;
  return (status.st_mode & 0111) != 0 ? Presence::executable : Presence::not_executable;
}

Result<void> require_executable(const Buildpack& buildpack, std::string_view file) {
  switch (presence(buildpack.directory / file)) {
    case Presence::absent:
      return fail(ErrorKind::invalid, "{} ({}) is not a buildpack: it has no {}", buildpack.name, buildpack.source,
                  file);
    case Presence::not_executable:
      return fail(ErrorKind::invalid, "{} of buildpack {} ({}) is not executable; run chmod +x on it (and commit that)",
                  file, buildpack.name, buildpack.source);
    case Presence::empty:
    case Presence::executable:
      return {};
  }
  return {};
}

// Keeps the first `limit` bytes and remembers whether there were more.
struct Capture {
  std::size_t limit;
  std::string text = {};
  bool overflow = false;

  sandbox::Sink sink() {
    return [this](std::string_view bytes) {
      const std::size_t room = limit - text.size();
      overflow = overflow || bytes.size() > room;
      text += bytes.substr(0, room);
    };
  }
};

// The first line, fit for a log: printable, not endless.
std::string first_line(std::string_view text) {
  const std::string_view line = util::trim(text.substr(0, text.find('\n')));
  std::string name;
  for (const char c : line.substr(0, kMaxName)) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) name += c;
  }
  return name;
}

Result<void> unless_stopped(const sandbox::Exit& exit, std::string_view what) {
  if (exit.stopped) return fail(ErrorKind::cancelled, "{} was stopped", what);
  return {};
}

Result<sandbox::Exit> run_test(const Context& context, const std::vector<std::string>& command,
                               const sandbox::Sink& output, const std::stop_token& stop) {
  std::vector<std::string> argv = {"/bin/bash", "--noprofile", "--norc", "-c", fmt::format(kTestWrapper, kLoadProfile),
                                   "hearth"};
  argv.insert(argv.end(), command.begin(), command.end());
  const sandbox::Command started{.argv = std::move(argv),
                                 .environment = context.environment,
                                 .directory = context.sandbox.inside(context.paths.build),
                                 .streams = sandbox::Streams::merged};
  return context.sandbox.run(started, output, output, stop);
}

std::string description(const sandbox::Exit& exit) {
  if (exit.signal != 0) return fmt::format("was ended by signal {} ({})", exit.signal, strsignal(exit.signal));
  return fmt::format("exited with {}", exit.code);
}

}  // namespace

Result<std::optional<std::string>> detect(const Context& context, const Buildpack& buildpack,
                                          const sandbox::Sink& on_stderr, std::stop_token stop) {
  TRY(require_executable(buildpack, "bin/detect"));
  TRY(require_executable(buildpack, "bin/compile"));
  Capture output{.limit = kMaxDetect};
  const std::vector<std::string> argv = {program(context, buildpack, "bin/detect"),
                                         context.sandbox.inside(context.paths.build).string()};
  const auto command = wrapped(context, {}, argv, sandbox::Streams::separate);
  const sandbox::Exit exit = TRY(context.sandbox.run(command, output.sink(), on_stderr, stop));
  TRY(unless_stopped(exit, fmt::format("bin/detect of {}", buildpack.name)));
  if (exit.signal != 0) on_stderr(fmt::format("bin/detect of {} {}\n", buildpack.name, description(exit)));
  if (exit.code != 0) return std::nullopt;
  std::string name = first_line(output.text);
  if (name.empty()) name = buildpack.name;
  return name;
}

std::string compile_script(const Buildpack& buildpack, Purpose purpose) {
  constexpr const char* kForTests = "bin/test-compile";
  const bool found = presence(buildpack.directory / kForTests) >= Presence::not_executable;
  return purpose == Purpose::test && found ? kForTests : "bin/compile";
}

Result<sandbox::Exit> compile(const Context& context, const Buildpack& buildpack, Purpose purpose,
                              const Earlier& earlier, const sandbox::Sink& output, std::stop_token stop) {
  const std::string script = compile_script(buildpack, purpose);
  TRY(require_executable(buildpack, script));
  const auto argv = with_directories(context, program(context, buildpack, script));
  return context.sandbox.run(wrapped(context, earlier, argv, sandbox::Streams::merged), output, output, stop);
}

Result<sandbox::Exit> run_hook(const Context& context, const std::string& hook, const Earlier& earlier,
                               const sandbox::Sink& output, std::stop_token stop) {
  const Presence found = presence(context.paths.build / hook);
  if (found == Presence::absent || found == Presence::empty) return sandbox::Exit{};
  std::vector<std::string> argv =
      with_directories(context, (context.sandbox.inside(context.paths.build) / hook).string());
  if (found == Presence::not_executable) argv.insert(argv.begin(), "/bin/bash");
  return context.sandbox.run(wrapped(context, earlier, argv, sandbox::Streams::merged), output, output, stop);
}

Result<Release> release(const Context& context, const Buildpack& buildpack, const Earlier& earlier,
                        const sandbox::Sink& on_stderr, std::stop_token stop) {
  const Presence found = presence(buildpack.directory / "bin/release");
  if (found == Presence::not_executable) {
    on_stderr(
        fmt::format("bin/release of {} is not executable and was left out; run chmod +x on it\n", buildpack.name));
  }
  if (found != Presence::executable) return Release{};
  Capture output{.limit = kMaxYaml};
  const std::vector<std::string> argv = {program(context, buildpack, "bin/release"),
                                         context.sandbox.inside(context.paths.build).string(),
                                         context.sandbox.inside(context.paths.cache).string()};
  const auto command = wrapped(context, earlier, argv, sandbox::Streams::separate);
  const sandbox::Exit exit = TRY(context.sandbox.run(command, output.sink(), on_stderr, stop));
  const std::string what = fmt::format("bin/release of {}", buildpack.name);
  TRY(unless_stopped(exit, what));
  if (exit.code != 0) return fail(ErrorKind::invalid, "{} {}", what, description(exit));
  if (output.overflow) return fail(ErrorKind::invalid, "{} printed more than 1 MiB", what);
  return within(fmt::format("the output of {}", what), parse_release(output.text));
}

std::map<std::string, std::string> report(const Context& context, const Buildpack& buildpack, std::stop_token stop) {
  if (presence(buildpack.directory / "bin/report") != Presence::executable) return {};
  Capture output{.limit = kMaxYaml};
  const auto argv = with_directories(context, program(context, buildpack, "bin/report"));
  const auto command = wrapped(context, {}, argv, sandbox::Streams::separate);
  const auto exit = context.sandbox.run(command, output.sink(), [](std::string_view) {}, stop);
  if (!exit || exit->stopped || exit->code != 0 || output.overflow) return {};
  return parse_report(output.text);
}

Result<bool> has_tests(const Buildpack& buildpack) {
  const Presence found = presence(buildpack.directory / "bin/test");
  if (found == Presence::not_executable) TRY(require_executable(buildpack, "bin/test"));
  return found == Presence::executable;
}

Result<sandbox::Exit> test(const Context& context, const Buildpack& buildpack, const sandbox::Sink& output,
                           std::stop_token stop) {
  return run_test(context,
                  {program(context, buildpack, "bin/test"), context.sandbox.inside(context.paths.build).string(),
                   context.sandbox.inside(context.paths.env).string()},
                  output, stop);
}

Result<sandbox::Exit> run_line(const Context& context, const std::string& line, const sandbox::Sink& output,
                               std::stop_token stop) {
  return run_test(context, {"/bin/bash", "-c", line}, output, stop);
}

}  // namespace hearth::buildpack
