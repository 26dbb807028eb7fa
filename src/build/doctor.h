// Looks at a machine and a store as a build would use them, and tells what is wrong and how to mend it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "build/surroundings.h"
#include "sandbox/sandbox.h"
#include "store/open.h"
#include "util/error.h"

namespace hearth::build {

enum class Health {
  good,
  unneeded,  // it does not work here, and nothing needs it
  worry,     // builds can be made; something of what was asked for is missing
  bad        // no build can be made
};
std::string_view name(Health health);  // "good", "unneeded", "worry", "bad"

struct Diagnosis {
  std::string subject;  // a few words
  Health health = Health::good;
  std::string detail;  // what was found
  std::string remedy;  // what to do about it; empty where nothing is to be done
};

struct DoctorOptions {
  std::string store_url;  // empty: store::default_url()
  store::OpenOptions store_options;
  std::optional<sandbox::Level> sandbox;  // absent: auto
  sandbox::Network network = sandbox::Network::on;
  std::optional<std::filesystem::path> stack_root;
  uid_t build_uid = 2000;
  std::filesystem::path work_root;  // empty: default_work_root()
  std::map<std::string, std::string> host_environment;
};

struct DoctorReport {
  std::vector<Diagnosis> diagnoses;  // in the order in which they were made
  std::string sandbox;               // the level that a build would get; empty: none
  bool machine_usable = false;       // work directory and sandbox
  bool store_usable = false;
  std::optional<ErrorKind> store_error;  // why the store could not be opened
};

// Opens the work directory, each sandbox level, runs git and ssh in the best of them, and writes, reads and deletes
// some objects of the store below a name of their own (store/check.h). Leaves nothing behind but the work root. Never
// an error: the report tells. A stop request ends it early.
DoctorReport examine(const DoctorOptions& options, const Surroundings& surroundings, const std::stop_token& stop);

// Pure: what a work directory's file system means for builds. `type` is statfs(2)'s f_type, sizes are bytes;
// `inodes` is 0 where the file system does not count them.
struct FileSystemFacts {
  std::uint64_t type = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_inodes = 0;
  std::uint64_t inodes = 0;
  bool no_exec = false;
};
std::vector<Diagnosis> judge_file_system(const std::string& path, const FileSystemFacts& facts);

// Pure: the version in what `git --version` printed, as major and minor number; absent where there is none.
std::optional<std::pair<int, int>> git_version(std::string_view output);

}  // namespace hearth::build
