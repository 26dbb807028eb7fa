// A save that goes on after the build: a process of its own finishes it, in its own session and with no descriptor of
// the caller's, so that neither a closed terminal nor the end of who started the build ends it.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "build/history.h"
#include "build/saving.h"
#include "build/surroundings.h"
#include "build/work_dir.h"
#include "store/open.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::build {

// All that the saver needs; it sees this process' environment, too.
struct SaveJob {
  std::string store_url;
  store::OpenOptions store_options;
  std::string app;
  std::string build;
  std::filesystem::path work_root;  // of the work directory, as WorkDir::release() gave them
  std::filesystem::path work_path;
  SaveRequest request;
  bool has_records = false;  // the build's report and log are stored; the saver completes them if they still are
  std::string report;        // as to_json() wrote it
  std::string log;           // as it is kept
  std::vector<std::string> secrets;
  std::chrono::steady_clock::time_point build_started;
  PastBuild past;                 // what the history is to remember
  std::uint64_t keep_caches = 0;  // as BuildOptions::keep_caches
  bool is_remembered = false;     // whether it is
};

// In a form that another process of the same program reads.
std::string encode_job(const SaveJob& job);
// invalid: not a job.
Result<SaveJob> decode_job(std::string_view bytes);

// The descriptors that a saver is started with.
struct SaverInput {
  util::Fd job;   // encode_job's bytes, in a file without a name
  util::Fd lock;  // of the work directory
};

// A file in memory that holds the job.
Result<util::Fd> job_file(const SaveJob& job);

// Starts a saver: `hearth finish-save JOB LOCK`, with the numbers of its descriptors. It is not waited for.
Result<void> start_saver(const SaverInput& input);

// What the saver does: saves the cache, completes the build's report, log and history, and removes the work directory.
// An error is of the job or of the store; what becomes of the save is no error, but told in the report.
Result<void> finish_save(SaverInput input, const Surroundings& surroundings, std::stop_token stop);

}  // namespace hearth::build
