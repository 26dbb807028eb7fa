// The restore of the cache, beside source intake and the fetching of buildpacks.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <stop_token>
#include <thread>

#include "cache/cache.h"
#include "store/object_store.h"
#include "util/stop.h"

namespace hearth::build {

struct RestoreRequest {
  std::shared_ptr<store::ObjectStore> store;
  cache::Name name;
  std::filesystem::path directory;  // absent; where no build can see it yet
  std::filesystem::path index;
  uid_t owner = 0;
  std::chrono::milliseconds deadline{};
};

// Runs from construction on. The destructor stops it and waits for its end.
class RestoreTask {
 public:
  RestoreTask(RestoreRequest request, const std::stop_token& stop);

  // Waits until the restore has ended, at most until its deadline and a moment: then it is late, whatever it still
  // does, and its directory must not be used. Call once.
  cache::RestoreReport wait();

  std::chrono::steady_clock::time_point started() const { return started_; }
  // How long the restore took, or how long it was waited for.
  std::chrono::steady_clock::duration taken() const { return taken_; }

 private:
  struct Done {
    cache::RestoreReport report;
    std::chrono::steady_clock::time_point at;
  };

  const RestoreRequest request_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration taken_{};
  util::StopAfter deadline_;
  std::promise<Done> promise_;
  std::future<Done> done_ = promise_.get_future();
  std::stop_source abandon_;
  std::jthread thread_;
};

}  // namespace hearth::build
