// The same, with what a build's cache can be: good, bad, left by a failed one.
#pragma once

#include <algorithm>

#include "build/history.h"
#include "cache/generations/commit.h"
#include "pipeline_fixture.h"
#include "util/machine.h"

namespace hearth::build {

class PipelineCacheTest : public PipelineTest {
 protected:
  // Fails with what fill_cache left, and succeeds with an empty cache, in which it leaves something else.
  static sandbox::Exit fail_warm(const Call& call) {
    if (fs::exists(call.cache / "kept")) return {.code = 9};
    std::ignore = util::write_file(call.cache / "fresh", "of the cold run");
    return {};
  }
  static sandbox::Exit do_nothing(const Call&) { return {}; }
  static sandbox::Exit fail_always(const Call& call) {
    std::ignore = util::write_file(call.cache / "left", "by a failed build");
    return {.code = 9};
  }

  std::size_t compiles() const { return static_cast<std::size_t>(std::ranges::count(calls_, "compile")); }

  cache::Head head() {
    const auto layout = cache::Layout::of({"demo", "heroku-24", util::architecture()}).value();
    return cache::read_head(memory_, layout, {}).value().seen.head;
  }
  History history() { return read_history(memory_, "demo", {}).value().history; }

  // A build that is good, then one that finds its cache and is good, too.
  void make_served() {
    ASSERT_FALSE(build(fill_cache).failure);
    ASSERT_FALSE(build(expect_cache).failure);
    calls_.clear();
  }
};

}  // namespace hearth::build
