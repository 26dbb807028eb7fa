// One build of one app, from its source to a published slug and a saved cache.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "build/config_vars.h"
#include "build/report.h"
#include "buildpack/buildpack.h"
#include "cache/cache.h"
#include "cache/format/compression.h"
#include "sandbox/sandbox.h"
#include "slug/parallel_gzip.h"
#include "store/open.h"
#include "util/progress.h"

namespace hearth::build {

enum class CacheMode {
  on,         // restore and save
  off,        // neither
  read_only,  // restore only
  refresh,    // start empty, save
  automatic   // on, as long as the cache saves more time than its restore costs (worth.h); else neither
};
// Whether a compile that failed with a restored cache runs once more with an empty one.
enum class RetryCold {
  automatic,  // where the cache is suspect: this generation has not served a build that succeeded yet, or this source
              // version was built with success before
  always,
  never
};
// When a build's cache is saved: before run() returns, or by a process that goes on after it.
enum class SaveWhen { wait, background };
// What becomes of the cache of a build that failed.
enum class SaveOnFailure {
  off,        // nothing
  quarantine  // it is saved aside, and restored only with From::failed_first
};
enum class Publish { no, yes };
enum class Strip {
  automatic,  // the sole top folder of a tarball that came by URL
  never,      // 0
  once        // 1: the sole top folder of any tarball
};
enum class LogFormat { text, json };
enum class Colours { off, on };
enum class LogTarget {
  terminal,  // '\r' passes as it is
  file       // only the last state of a line that a '\r' rewrites is kept
};

// Where a build speaks to. Both may be called from several threads, never at once; neither may throw. A reader that
// went away is the caller's affair: the build goes on.
struct Console {
  std::function<void(std::string_view bytes)> log;         // the build's log: bytes as they come, lines may be partial
  std::function<void(std::string_view line)> diagnostics;  // our own notices: one line a call, without its line feed
  // Shows how far `what` has come until the returned handle is gone. `read` may be called from another thread, at any
  // time between. May be empty: nobody looks.
  std::function<std::shared_ptr<void>(std::string_view what, std::function<util::ProgressReading()> read)> progress;
  LogTarget target = LogTarget::file;
  Colours colours = Colours::off;
  LogFormat format = LogFormat::text;
};

// A name that may be used for an app: 1 to 100 bytes of A-Z a-z 0-9 - _ . and neither "." nor "..". Invalid otherwise,
// with a message that says what is allowed.
Result<void> check_app_name(std::string_view app);

struct BuildOptions {
  // test: the app is compiled for tests, and its tests run, instead of slug and publish.
  buildpack::Purpose purpose = buildpack::Purpose::deploy;
  std::string app;     // checked by run() with check_app_name
  std::string source;  // a directory, a tarball, "-" (tar on stdin), a git URL or "path#ref", an http(s) tarball
  Strip strip = Strip::automatic;
  std::string source_version;  // SOURCE_VERSION; empty: the git sha of a git source, else not set

  std::string store_url;  // empty: store::default_url()
  store::OpenOptions store_options;
  std::vector<std::string> buildpacks;  // --buildpack, in order
  std::filesystem::path installed;      // --buildpacks: a directory of buildpacks; may be empty
  std::map<std::string, std::string> aliases{{"heroku/*", "https://github.com/heroku/heroku-buildpack-*"}};

  ConfigVarSources config_vars;                         // read and merged by run()
  std::vector<std::string> pass_env;                    // names handed from host_environment to the buildpacks
  std::map<std::string, std::string> host_environment;  // a snapshot of ours: proxies, CA files, XDG directories

  std::string stack = "heroku-24";
  std::optional<std::filesystem::path> stack_root;
  std::optional<sandbox::Level> sandbox;  // absent: auto
  uid_t build_uid = 2000;
  sandbox::Network network = sandbox::Network::on;
  std::chrono::milliseconds build_timeout = std::chrono::minutes(15);

  CacheMode cache = CacheMode::on;         // the operator's word; cache_choice.h says what it comes to
  std::vector<std::string> cache_exclude;  // patterns of util/ignore_rules.h: what a save leaves out of CACHE_DIR
  std::vector<std::string> seeds;  // apps, or keys (cache/format/key.h), to start from while the app has no cache
  cache::From cache_from = cache::From::in_force;
  RetryCold retry_cold = RetryCold::automatic;
  SaveWhen save = SaveWhen::wait;
  SaveOnFailure save_on_failure = SaveOnFailure::off;
  std::chrono::milliseconds restore_deadline = std::chrono::seconds(60);
  std::chrono::milliseconds save_deadline = std::chrono::seconds(120);
  std::chrono::milliseconds stall_timeout = std::chrono::seconds(10);  // of restore and save, waiting for the store
  std::uint32_t compression_level = cache::kDefaultCompressionLevel;   // zstd's, of the cache
  std::uint64_t max_size = 0;                                          // of the cache's files, in bytes; 0: any

  std::filesystem::path work_root;  // --work; empty: default_work_root()
  Publish publish = Publish::yes;
  std::uint64_t keep_caches = std::uint64_t{10} << 30;  // bytes of caches that stay in the work directory; 0: none
  std::uint32_t keep_builds = 10;  // the newest of the app that stay once this one is published; 0: all
  std::string slug_to;             // also write the slug here: a file, "-" (standard output), or empty
  std::string report_to;           // also write the report here: a file, "-" (standard output), or empty
  std::uint32_t slug_level = slug::kDefaultGzipLevel;                // as parallel_gzip.h has them
  std::uint64_t slug_soft_limit = std::uint64_t{300} * 1000 * 1000;  // above: a warning
  std::uint64_t slug_hard_limit = std::uint64_t{500} * 1000 * 1000;  // above: a failure that keeps the slug
};

struct BuildResult {
  Report report;  // report.failure says whether and why it failed
};

// Where builds work when nobody says otherwise: /var/tmp/hearth for root ($XDG_CACHE_HOME and /root are closed to the
// build user), else $XDG_CACHE_HOME/hearth, else $HOME/.cache/hearth.
std::filesystem::path default_work_root(const std::map<std::string, std::string>& host_environment);

// Builds. Everything that is worth knowing went to the console when it returns, the report and the log are stored
// (failed builds too), and nothing is left of the build but what it published: no process, mount or work directory. But
// for SaveWhen::background: a process may still save the cache then, in the work directory, which it removes.
// A cache problem never fails it. A stop request ends it within 10 s; one after the publish ends the save only.
// Several builds may run at once, of one app too.
BuildResult run(const BuildOptions& options, const Console& console, std::stop_token stop);

}  // namespace hearth::build
