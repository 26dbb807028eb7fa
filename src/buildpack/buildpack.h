// The classic buildpack API as functions over a Sandbox: detect, compile, release, report, and what tests an app.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/sandbox.h"
#include "util/error.h"

namespace hearth::buildpack {

// A buildpack checked out for this build: a directory of its own, below the sandbox's tmp_dir, writable by the build
// user, since buildpacks write `export` and more into themselves.
struct Buildpack {
  std::string name;                 // folder's or repository's name
  std::string source;               // URL (masked) or directory it came from
  std::string revision;             // git sha, tarball's SHA-256; empty for a directory
  std::filesystem::path directory;  // host path
};

// Host paths of the build; the sandbox translates them.
struct BuildPaths {
  std::filesystem::path build;  // BUILD_DIR
  std::filesystem::path cache;  // CACHE_DIR
  std::filesystem::path env;    // ENV_DIR
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// What every phase needs. `environment` is the documented one, complete.
struct Context {
  sandbox::Sandbox& sandbox;
  BuildPaths paths;
  Environment environment;
};

// What the app is built for: to be deployed, or to be tested (Heroku's testpack API).
enum class Purpose { deploy, test };

// What bin/release said. Its add-ons are the platform's affair, and not read.
struct Release {
  std::map<std::string, std::string> config_vars;
  std::map<std::string, std::string> default_process_types;
};

// bin/detect. The value is the name that it printed (its first line; the buildpack's own name where it printed none);
// absent: exit ≠ 0, not mine. `on_stderr` gets what it wrote to stderr.
// A buildpack without an executable bin/detect or bin/compile is invalid.
Result<std::optional<std::string>> detect(const Context& context, const Buildpack& buildpack,
                                          const sandbox::Sink& on_stderr, std::stop_token stop);

// The script that compiles: "bin/compile", or, for a test, "bin/test-compile" where the buildpack has it.
std::string compile_script(const Buildpack& buildpack, Purpose purpose);

// compile_script BUILD_DIR CACHE_DIR ENV_DIR, after sourcing the `export` files of `earlier` in their order. A script
// that is not executable is invalid.
Result<sandbox::Exit> compile(const Context& context, const Buildpack& buildpack, Purpose purpose,
                              const std::vector<Buildpack>& earlier, const sandbox::Sink& output, std::stop_token stop);

// An app's own hook (bin/pre-compile, bin/post-compile in BUILD_DIR), run in BUILD_DIR with the same environment;
// Exit{0} where the app has none.
Result<sandbox::Exit> run_hook(const Context& context, const std::string& hook, const std::vector<Buildpack>& earlier,
                               const sandbox::Sink& output, std::stop_token stop);

// bin/release. Absent, empty: nothing. A failure or YAML that cannot be read is invalid, and the message says where.
Result<Release> release(const Context& context, const Buildpack& buildpack, const std::vector<Buildpack>& earlier,
                        const sandbox::Sink& on_stderr, std::stop_token stop);

// bin/report as key-values in their text form; its failure is an empty answer, never an error.
std::map<std::string, std::string> report(const Context& context, const Buildpack& buildpack, std::stop_token stop);

// Whether the buildpack has a bin/test. One that is not executable is invalid.
Result<bool> has_tests(const Buildpack& buildpack);

// bin/test BUILD_DIR ENV_DIR, in HOME, after sourcing the app's .profile.d there: the app is to be at HOME, and the
// config vars in the environment.
Result<sandbox::Exit> test(const Context& context, const Buildpack& buildpack, const sandbox::Sink& output,
                           std::stop_token stop);

// A line of shell of the app's own, in the same place and environment as test().
Result<sandbox::Exit> run_line(const Context& context, const std::string& line, const sandbox::Sink& output,
                               std::stop_token stop);

}  // namespace hearth::buildpack
