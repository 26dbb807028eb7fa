// Options that several commands have, defined once.
#pragma once

#include <optional>
#include <string>

#include "build/config_vars.h"
#include "cli/options.h"
#include "sandbox/sandbox.h"
#include "store/open.h"

namespace hearth::cli {

void add_app(Options& options, std::string& app);

struct StoreFlags {
  std::string url;
  bool create = false;
  bool insecure = false;
  std::string tier;
  std::uint64_t tier_size = store::TierOptions().bytes;
  std::uint32_t transfers = 0;
  std::chrono::milliseconds stall{0};  // no flag of its own: see store::OpenOptions
  store::OpenOptions options() const;
};
void add_store(Options& options, StoreFlags& flags);
// What --store names, else the default.
Result<store::OpenStore> open_store(const StoreFlags& flags);
void add_stack(Options& options, std::string& stack);

// zstd's, of the cache: 1 to 19.
void add_compression_level(Options& options, std::uint32_t& level);
// What the files of a cache may have together, in bytes; 0: any.
void add_max_size(Options& options, std::uint64_t& bytes);

// Patterns of what a save leaves out.
void add_cache_exclude(Options& options, std::vector<std::string>& patterns);
// UsageError for one that names nothing: a comment, or an exception ("!…").
void check_cache_exclude(const std::vector<std::string>& patterns);

struct ConfigVarFlags {
  std::string directory;
  std::string file;
  std::vector<std::string> assignments;
  build::ConfigVarSources sources() const;
};
void add_config_vars(Options& options, ConfigVarFlags& flags);

// How build and run isolate what they start.
struct SandboxFlags {
  std::optional<sandbox::Level> level;
  sandbox::Network network = sandbox::Network::on;
  std::string stack_root;
  std::uint32_t build_uid = 2000;
  std::string work;
  std::vector<std::string> pass_env;
};
void add_sandbox(Options& options, SandboxFlags& flags);

// Copies the flags into the members of the same meaning of BuildOptions and RunOptions.
template <class Target>
void apply(const SandboxFlags& flags, Target& target) {
  target.sandbox = flags.level;
  target.network = flags.network;
  if (!flags.stack_root.empty()) target.stack_root = flags.stack_root;
  target.build_uid = flags.build_uid;
  target.work_root = flags.work;
  target.pass_env = flags.pass_env;
}

}  // namespace hearth::cli
