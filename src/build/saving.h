// Saving a build's cache, by the build itself or by a process that goes on after it: what is to be saved, how, and what
// the log says of it.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "build/log.h"
#include "build/report.h"
#include "build/transfer.h"
#include "build/work_dir.h"
#include "cache/cache.h"
#include "store/open.h"

namespace hearth::build {

struct SaveRequest {
  cache::Name name;
  cache::SaveOptions options;
  std::string exclude;  // what is left out, as util::IgnoreRules takes it; stands for options.exclude
  std::string culprit;  // a generation that was found to make builds fail, which is set aside first; "" for none
  TransferLimits limits;
};

struct Saved {
  CacheSaveReport report;
  std::chrono::steady_clock::time_point start;
  std::chrono::steady_clock::duration taken{};
};

// Saves CACHE_DIR of the work directory, within the limits and until `stop`, and tells the log what came of it. What
// hangs in the store keeps the work directory.
Saved save_cache(const std::shared_ptr<store::ObjectStore>& store, const std::shared_ptr<const store::Meter>& meter,
                 const std::shared_ptr<WorkDir>& work, const SaveRequest& request, Log& log,
                 const std::stop_token& stop);

// Keeps CACHE_DIR, which is in its place, on this machine (kept_caches.h), if nothing is at work in it any more and its
// index tells what it was; within `most` bytes, 0 for not at all. What goes wrong is noted.
void keep_cache(const WorkDir& work, const CacheRestoreReport& restore, const CacheSaveReport& save, std::uint64_t most,
                Log& log);

// The save as the log notes it for later readers.
std::string note_of(const CacheSaveReport& save);

StoreReport report_of(const store::MeterReading& reading);

}  // namespace hearth::build
