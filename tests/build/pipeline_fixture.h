// Builds of one app, with functions in the place of buildpacks and a store in memory that may fail.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "build/build.h"
#include "fake_surroundings.h"
#include "support/faulty_store.h"
#include "util/file.h"

namespace hearth::build {

namespace fs = std::filesystem;
using support::FaultyStore;
using support::Verb;

inline const auto kNow = std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + std::chrono::hours(12);

class PipelineTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"bin/detect", "bin/compile", "bin/release", "bin/report"}) {
      fs::create_directories(temp_.path() / "packs/one/bin");
      ASSERT_TRUE(util::write_file(temp_.path() / "packs/one" / program, "#!/bin/sh\n", 0755).has_value());
    }
    fs::create_directories(temp_.path() / "app");
    ASSERT_TRUE(util::write_file(temp_.path() / "app/Procfile", "web: serve\n").has_value());
    options_.app = "demo";
    options_.source = temp_.path() / "app";
    options_.installed = temp_.path() / "packs";
    options_.work_root = temp_.path() / "work";
    options_.store_url = "memory";
    options_.keep_caches = 0;
    options_.keep_builds = 0;  // beside a save, it would be in the way of the faults that tests set
  }

  // Runs a build whose bin/compile is `compile`.
  Report build(const Script& compile, std::stop_token stop = {}) {
    const Script script = [&](const Call& call) -> Result<sandbox::Exit> {
      calls_.push_back(call.program);
      if (watch_) watch_(call);
      if (const auto broken = broken_.find(call.program); broken != broken_.end()) {
        return std::unexpected(broken->second);
      }
      if (call.program == "detect") call.out("Demo\n");
      if (call.program == "release") call.out(release_);
      if (call.program == "report") call.out("version: 3\n");
      return call.program == "compile" ? compile(call) : sandbox::Exit{};
    };
    log_.clear();
    shown_.clear();
    diagnostics_.clear();
    Console console;
    console.log = [&](std::string_view bytes) { log_ += bytes; };
    console.diagnostics = [&](std::string_view line) { (diagnostics_ += line) += '\n'; };
    console.progress = [&](std::string_view what, const std::function<util::ProgressReading()>& read) {
      shown_.emplace_back(what, read().total);
      return std::shared_ptr<void>();
    };
    Surroundings surroundings = fake_surroundings(faulty_, script, kNow);
    if (start_saver_) surroundings.start_saver = start_saver_;
    surroundings.open_sandbox = [this, inner = surroundings.open_sandbox](std::optional<sandbox::Level> level,
                                                                          const sandbox::Config& config) {
      sandboxes_.push_back(config);
      return inner(level, config);
    };
    const Report report = run(options_, console, surroundings, std::move(stop)).report;
    EXPECT_EQ(slot_stays_, fs::exists(slot())) << "nothing may be left of a build that neither hangs nor goes on";
    return report;
  }

  fs::path slot() const { return temp_.path() / "work/apps/demo/0"; }

  void hang() {
    slot_stays_ = true;
    faulty_.hang();
  }
  // Lets go what hung, and waits until it has tidied up.
  void resume() {
    faulty_.resume();
    slot_stays_ = false;
    while (fs::exists(slot())) std::this_thread::yield();
  }

  static sandbox::Exit fill_cache(const Call& call) {
    std::ignore = util::write_file(call.cache / "kept", "from an earlier build");
    return {};
  }
  // Exit 0 where CACHE_DIR holds what fill_cache left.
  static sandbox::Exit expect_cache(const Call& call) { return {.code = fs::exists(call.cache / "kept") ? 0 : 9}; }

  std::string stored(const std::string& build, const std::string& file) {
    const auto object = memory_.get(store::Key::parse("apps/demo/builds/" + build + "/" + file).value(), {}, {});
    return object ? std::string(reinterpret_cast<const char*>(object->bytes.data()), object->bytes.size()) : "";
  }

  // The keys of the cache of demo, sorted.
  std::vector<std::string> cache_objects() {
    std::vector<std::string> keys;
    const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
      keys.push_back(info.key.text());
      return {};
    };
    EXPECT_TRUE(memory_.list(store::Prefix::parse("apps/demo/cache/").value(), visit, {}));
    return keys;
  }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "pipeline-").value());
  store::MemoryStore memory_;
  FaultyStore faulty_{memory_};
  BuildOptions options_;
  std::string release_;
  std::string log_;
  std::string diagnostics_;
  std::vector<std::string> calls_;
  std::function<void(const Call&)> watch_;                    // sees each call before it is played; may be empty
  std::map<std::string, Error> broken_;                       // programs that the sandbox cannot run
  std::vector<sandbox::Config> sandboxes_;                    // of those that were opened
  std::vector<std::pair<std::string, std::uint64_t>> shown_;  // the progress of what, and how much it was to be
  bool slot_stays_ = false;
  std::function<Result<void>(const SaverInput&)> start_saver_;  // empty: none can be started
};

}  // namespace hearth::build
