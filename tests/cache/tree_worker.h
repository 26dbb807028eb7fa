// Somebody who works in a directory, at random.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <vector>

#include "cache/engine_support.h"

namespace hearth::cache::testing {

// One step of somebody who works in the directory. Numbers choose among what is there.
struct Step {
  int action = 0;
  unsigned where = 0;
  unsigned what = 0;
  std::size_t size = 0;
  unsigned mode = 0;
  std::int64_t seconds = 0;

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << fmt::format("{{{}, {}, {}, {}, {:o}, {}}}", step.action, step.where, step.what, step.size, step.mode,
                              step.seconds);
  }
};

// Contents are mostly small.
rc::Gen<Step> any_step();

// Directories stay enterable, so that the test can look into them as any user.
class Worker {
 public:
  // Makes the directory if it is absent.
  explicit Worker(std::filesystem::path root) : root_(std::move(root)) { std::filesystem::create_directories(root_); }

  void apply(const std::vector<Step>& steps);

 private:
  void apply(const Step& step);

  const std::filesystem::path root_;
};

}  // namespace hearth::cache::testing
