#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "build/build_folders.h"
#include "build/builds.h"
#include "pipeline_fixture.h"

namespace hearth::build {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(PipelineTest, BuildsAndPublishes) {
  release_ = "config_vars:\n  A: b\ndefault_process_types:\n  rake: r\n";
  options_.config_vars.assignments = {"TOKEN=very secret"};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    EXPECT_EQ("very secret", util::read_file(call.env / "TOKEN").value());
    EXPECT_FALSE(call.environment.contains("TOKEN"));
    EXPECT_EQ("heroku-24", call.environment.at("STACK"));
    EXPECT_TRUE(fs::exists(call.build / "Procfile"));
    call.out("the token is very sec");
    call.out("ret\n");
    return {};
  });
  ASSERT_FALSE(report.failure) << report.failure->message << log_;
  for (const char* line :
       {"-----> Demo app detected\n", "-----> Restoring cache...\n", "-----> Discovering process types\n",
        "Procfile declares types -> web\n", "Default process types for Demo -> rake\n", "Compiled slug size is ",
        "the token is ********\n"}) {
    EXPECT_THAT(log_, HasSubstr(line));
  }
  EXPECT_EQ("rake: \"r\"\nweb: \"serve\"\n", stored(report.build, "Procfile"));
  EXPECT_EQ(report.slug->bytes, stored(report.build, "slug.tgz").size());
  EXPECT_THAT(stored(report.build, "log.txt"), HasSubstr("phase compile: "));
  EXPECT_THAT(stored(report.build, "log.txt"), Not(HasSubstr("very secret")));
  const auto json = nlohmann::json::parse(stored(report.build, "report.json"));
  EXPECT_EQ("succeeded", json["outcome"]);
  EXPECT_EQ("3", json["buildpacks"][0]["report"]["version"]);
  EXPECT_EQ("miss", json["cache"]["restore"]["outcome"]);
  EXPECT_EQ(report.build, newest_build(memory_, "demo", {}).value().build);
}

TEST_F(PipelineTest, ProgressIsShownOfWhatMayTakeLong) {
  const Report report = build(fill_cache);
  ASSERT_EQ(shown_.size(), 3U);
  EXPECT_EQ(shown_[0].first, "restoring the cache");
  EXPECT_EQ(shown_[1], std::pair(std::string("publishing the slug"), report.slug->bytes));
  EXPECT_EQ(shown_[2].first, "saving the cache");
}

TEST_F(PipelineTest, BuildsThatAreNotKeptAreRemoved) {
  const auto nothing = [](const Call&) -> sandbox::Exit { return {}; };
  std::vector<std::string> builds;
  for (int count = 0; count < 4; ++count) builds.push_back(build(nothing).build);
  options_.keep_builds = 2;
  const Report last = build(nothing);
  ASSERT_FALSE(last.failure);
  EXPECT_EQ(list_builds(memory_, "demo", {}).value().size(), 2U);
  EXPECT_EQ(stored(builds[2], "report.json"), "");
  EXPECT_NE(stored(builds[3], "report.json"), "");
  EXPECT_THAT(stored(last.build, "log.txt"), HasSubstr("removed 3 older builds (--keep-builds 2)"));
}

TEST_F(PipelineTest, ABuildThatFailedRemovesNone) {
  for (int count = 0; count < 3; ++count) {
    ASSERT_FALSE(build([](const Call&) -> sandbox::Exit { return {}; }).failure);
  }
  options_.keep_builds = 1;
  ASSERT_TRUE(build([](const Call&) -> sandbox::Exit { return {.code = 1}; }).failure);
  EXPECT_EQ(list_builds(memory_, "demo", {}).value().size(), 4U);
}

TEST_F(PipelineTest, ARemovalThatFailsIsNoConcernOfTheBuild) {
  for (int count = 0; count < 3; ++count) {
    ASSERT_FALSE(build([](const Call&) -> sandbox::Exit { return {}; }).failure);
  }
  options_.keep_builds = 1;
  options_.cache = CacheMode::off;
  faulty_.before_each([&](const support::Operation& operation) {
    if (operation.verb == Verb::remove) faulty_.stall();
    if (operation.verb == Verb::put) faulty_.resume();
  });
  const auto begin = std::chrono::steady_clock::now();
  const Report report = build([](const Call&) -> sandbox::Exit { return {}; });
  EXPECT_FALSE(report.failure);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_THAT(stored(report.build, "log.txt"), HasSubstr("older builds were not removed"));
  EXPECT_EQ(list_builds(memory_, "demo", {}).value().size(), 4U);
}

TEST_F(PipelineTest, TheSecondBuildIsWarm) {
  const Report cold = build(fill_cache);
  ASSERT_FALSE(cold.failure) << cold.failure->message;
  EXPECT_EQ("saved", cold.save.outcome);
  const Report warm = build(expect_cache);
  ASSERT_FALSE(warm.failure) << warm.failure->message << log_;
  EXPECT_EQ("hit", warm.restore.outcome);
  EXPECT_EQ("unchanged", warm.save.outcome);
  EXPECT_EQ(0U, warm.save.read_bytes);
  EXPECT_THAT(log_, HasSubstr("Cache unchanged, not updating"));
}

TEST_F(PipelineTest, AFailedBuildKeepsTheCacheAndIsRecorded) {
  ASSERT_FALSE(build(fill_cache).failure);
  const Report failed = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(util::remove_tree(call.cache).has_value());
    call.out("bash: sudo: command not found\n");
    return {.code = 7};
  });
  ASSERT_TRUE(failed.failure.has_value());
  EXPECT_EQ(FailureClass::app, failed.failure->kind);
  EXPECT_EQ("compile", failed.failure->phase);
  EXPECT_EQ("not-run", failed.save.outcome);
  EXPECT_THAT(log_, HasSubstr("never has root's rights"));
  EXPECT_THAT(diagnostics_, HasSubstr("build failed in compile"));
  EXPECT_EQ("report", calls_.back());
  EXPECT_THAT(stored(failed.build, "report.json"), HasSubstr("\"failed\""));
  EXPECT_THAT(stored(failed.build, "log.txt"), HasSubstr("exit code 7"));
  EXPECT_FALSE(build(expect_cache).failure);
}

TEST_F(PipelineTest, ACacheThatWasEmptiedIsEmpty) {
  ASSERT_FALSE(build(fill_cache).failure);
  ASSERT_FALSE(build([](const Call& call) -> sandbox::Exit {
                 EXPECT_TRUE(util::remove_tree(call.cache).has_value());
                 return {};
               }).failure);
  EXPECT_TRUE(build(expect_cache).failure);
}

TEST_F(PipelineTest, ADeadStoreIsAColdBuildUntilThePublish) {
  ASSERT_FALSE(build(fill_cache).failure);
  faulty_.refuse(Verb::get, ErrorKind::unavailable);
  faulty_.refuse(Verb::put, ErrorKind::unavailable);
  const Report report = build([](const Call&) { return sandbox::Exit{}; });
  EXPECT_EQ("unavailable", report.restore.outcome);
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::store, report.failure->kind);
  EXPECT_EQ("publish", report.failure->phase);
  const fs::path kept = temp_.path() / "work/kept" / ("demo-" + report.build + ".tgz");
  EXPECT_THAT(report.failure->message, HasSubstr(kept.native()));
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(PipelineTest, ALateRestoreIsAColdBuild) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.restore_deadline = std::chrono::milliseconds(50);
  options_.publish = Publish::no;
  options_.cache = CacheMode::read_only;
  faulty_.stall();
  const Report report = build([&](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::is_empty(call.cache));
    return {};
  });
  faulty_.resume();
  EXPECT_FALSE(report.failure) << report.failure->message;
  EXPECT_EQ("late", report.restore.outcome);
  EXPECT_THAT(log_, HasSubstr("Restoring the cache took too long"));
}

TEST_F(PipelineTest, ARestoreWithoutProgressIsAColdBuild) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.restore_deadline = std::chrono::hours(1);
  options_.stall_timeout = std::chrono::milliseconds(20);
  options_.publish = Publish::no;
  options_.cache = CacheMode::read_only;
  faulty_.stall();
  const Report report = build([&](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::is_empty(call.cache));
    return {};
  });
  EXPECT_FALSE(report.failure) << report.failure->message;
  EXPECT_EQ("late", report.restore.outcome);
  EXPECT_THAT(log_, HasSubstr("Restoring the cache made no progress for 20 ms: this build starts cold"));
}

TEST_F(PipelineTest, AStoreThatHangsDoesNotHoldTheBuildUp) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.restore_deadline = std::chrono::hours(1);
  options_.stall_timeout = std::chrono::milliseconds(20);
  options_.publish = Publish::no;
  options_.cache = CacheMode::read_only;
  hang();
  const Report report = build([&](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::is_empty(call.cache));
    return {};
  });
  EXPECT_FALSE(report.failure) << report.failure->message;
  EXPECT_EQ("late", report.restore.outcome);
  EXPECT_THAT(log_, HasSubstr("made no progress for 20 ms"));
  resume();
}

TEST_F(PipelineTest, ASaveWithoutProgressLeavesTheOldCache) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.save_deadline = std::chrono::hours(1);
  options_.stall_timeout = std::chrono::milliseconds(20);
  faulty_.before_each([&](const support::Operation& operation) {
    const bool is_cache = operation.key.contains("/cache/");
    if (operation.verb == Verb::put && is_cache) faulty_.stall();
    if (!is_cache) faulty_.resume();
  });
  const Report report = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(util::remove_tree(call.cache).has_value());
    return {};
  });
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("late", report.save.outcome);
  EXPECT_THAT(log_, HasSubstr("Saving the cache made no progress for 20 ms; the old one stays"));
  EXPECT_FALSE(build(expect_cache).failure);
}

TEST_F(PipelineTest, ASaveThatFailsIsAWarning) {
  std::atomic<int> puts = 0;
  faulty_.before_each([&](const support::Operation& operation) {
    // The slug and its Procfile pass; then the store refuses.
    if (operation.verb == Verb::put && ++puts > 2) faulty_.refuse(Verb::put, ErrorKind::unavailable);
  });
  const Report report = build(fill_cache);
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("failed", report.save.outcome);
  EXPECT_THAT(log_, HasSubstr("The cache was not saved"));
}

TEST_F(PipelineTest, AnInterruptedBuildSaysSo) {
  std::stop_source stop;
  const Report report = build(
      [&](const Call&) -> sandbox::Exit {
        stop.request_stop();
        return {.code = 0};
      },
      stop.get_token());
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::interrupted, report.failure->kind);
  EXPECT_EQ("not-run", report.save.outcome);
  EXPECT_THAT(stored(report.build, "report.json"), HasSubstr("\"interrupted\""));
}

TEST_F(PipelineTest, ABuildThatHangsMeetsItsDeadline) {
  options_.build_timeout = std::chrono::milliseconds(200);
  const Report report = build([](const Call& call) -> sandbox::Exit {
    while (!call.stop.stop_requested()) std::this_thread::yield();
    return {.code = 143, .signal = 15, .stopped = true};
  });
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::deadline, report.failure->kind);
  EXPECT_THAT(report.failure->message, HasSubstr("--build-timeout"));
}

TEST_F(PipelineTest, TheOwnerMayWantNoCacheAtAll) {
  ASSERT_FALSE(build(fill_cache).failure);
  const std::size_t before = cache_objects().size();
  ASSERT_GT(before, 1U);
  options_.config_vars.assignments = {"DEIS_DISABLE_CACHE=false"};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::is_empty(call.cache));
    return fill_cache(call);
  });
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("off", report.restore.outcome);
  EXPECT_EQ("off", report.save.outcome);
  EXPECT_EQ("off", report.cache.mode);
  EXPECT_EQ(before - 1, report.cache.deleted_objects);
  EXPECT_THAT(log_, HasSubstr("Cache: off, and what is stored is deleted (config var DEIS_DISABLE_CACHE is set)\n"));
  EXPECT_THAT(log_, HasSubstr("Deleted the stored cache: "));
  EXPECT_THAT(cache_objects(), testing::ElementsAre(HasSubstr("/HEAD.")));
  // There is nothing left to delete, and nothing to say about it.
  EXPECT_EQ(0U, build(fill_cache).cache.deleted_objects);
  EXPECT_THAT(log_, Not(HasSubstr("Deleted the stored cache")));
  options_.config_vars.assignments = {};
  EXPECT_EQ("miss", build(fill_cache).restore.outcome);
}

TEST_F(PipelineTest, ABuildThatFailsDeletesWhatItsOwnerDoesNotWant) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.config_vars.assignments = {"DEIS_BUILDPACK_CACHE=false"};
  EXPECT_TRUE(build([](const Call&) { return sandbox::Exit{.code = 1}; }).failure);
  EXPECT_THAT(cache_objects(), testing::ElementsAre(HasSubstr("/HEAD.")));
}

TEST_F(PipelineTest, ADeletionThatFailsIsAWarning) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.config_vars.assignments = {"DEIS_DISABLE_CACHE=1"};
  faulty_.refuse(Verb::remove, ErrorKind::unavailable);
  const Report report = build(fill_cache);
  faulty_.forgive();
  EXPECT_FALSE(report.failure);
  EXPECT_THAT(log_, HasSubstr("The stored cache could not be deleted: "));
  EXPECT_EQ("miss", [&] {
    options_.config_vars.assignments = {};
    return build(fill_cache).restore.outcome;
  }()) << "it is in force no more all the same";
}

TEST_F(PipelineTest, TheOperatorsOffTouchesNothing) {
  ASSERT_FALSE(build(fill_cache).failure);
  const std::vector<std::string> before = cache_objects();
  options_.cache = CacheMode::off;
  options_.config_vars.assignments = {"DEIS_DISABLE_CACHE=1", "HEARTH_CACHE=on"};
  EXPECT_FALSE(build(fill_cache).failure);
  EXPECT_THAT(log_, HasSubstr("Cache: off (--cache off, config var DEIS_DISABLE_CACHE is set)\n"));
  EXPECT_EQ(before, cache_objects());
}

TEST_F(PipelineTest, AModeThatIsNoneIsAWarning) {
  options_.config_vars.assignments = {"HEARTH_CACHE=perhaps"};
  EXPECT_EQ("saved", build(fill_cache).save.outcome);
  EXPECT_THAT(log_, HasSubstr(" !     The config var HEARTH_CACHE is none of"));
  EXPECT_THAT(log_, Not(HasSubstr("Cache: ")));
}

TEST_F(PipelineTest, ANewAppStartsFromASeed) {
  ASSERT_FALSE(build(fill_cache).failure);
  const std::vector<std::string> before = cache_objects();
  options_.app = "review";
  options_.seeds = {"nobody", "demo"};
  const Report first = build(expect_cache);
  ASSERT_FALSE(first.failure) << first.failure->message;
  EXPECT_EQ("hit", first.restore.outcome);
  EXPECT_EQ("demo", first.restore.seed);
  EXPECT_EQ("saved", first.save.outcome);
  EXPECT_THAT(log_, HasSubstr("Restored from demo: 1 entry"));
  EXPECT_EQ(before, cache_objects());
  const Report second = build(expect_cache);
  EXPECT_EQ("", second.restore.seed);
  EXPECT_EQ("unchanged", second.save.outcome);
}

TEST_F(PipelineTest, ExclusionsOfOperatorAndOwnerAreLeftOut) {
  options_.cache_exclude = {"*.log"};
  options_.config_vars.assignments = {"HEARTH_CACHE_EXCLUDE=/tmp/\n"};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    fs::create_directory(call.cache / "tmp");
    for (const char* file : {"a.log", "tmp/x", "kept"}) std::ignore = util::write_file(call.cache / file, "x");
    return {};
  });
  EXPECT_EQ(1U, report.save.entries);
  EXPECT_EQ(2U, report.save.left_out);
  EXPECT_THAT(log_, HasSubstr("; 2 left out\n"));
  EXPECT_FALSE(build([](const Call& call) -> sandbox::Exit {
                 return {.code = fs::exists(call.cache / "tmp") || fs::exists(call.cache / "a.log") ? 9 : 0};
               }).failure);
}

TEST_F(PipelineTest, ASeedThatCanBeNoNameIsRefused) {
  options_.seeds = {std::string(600, 'x')};
  const Report report = build(fill_cache);
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::usage, report.failure->kind);
  EXPECT_THAT(report.failure->message, HasSubstr("--cache-from"));
}

TEST_F(PipelineTest, ASignalAfterThePublishEndsTheSaveOnly) {
  std::stop_source stop;
  faulty_.before_each([&](const support::Operation& operation) {
    if (operation.key.ends_with("/Procfile")) stop.request_stop();
  });
  const Report report = build(fill_cache, stop.get_token());
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("late", report.save.outcome);
}

TEST_F(PipelineTest, ATestRunCompilesTestsAndPublishesNothing) {
  ASSERT_TRUE(util::write_file(temp_.path() / "packs/one/bin/test", "#!/bin/sh\n", 0755).has_value());
  options_.purpose = buildpack::Purpose::test;
  options_.publish = Publish::no;
  options_.cache = CacheMode::read_only;
  const Report report = build([](const Call&) { return sandbox::Exit{}; });
  EXPECT_FALSE(report.failure) << report.failure->message;
  EXPECT_EQ("test", calls_.back());
  EXPECT_THAT(log_, HasSubstr("Tests passed"));
  EXPECT_FALSE(report.slug);
  EXPECT_EQ(0U, report.store.put);
}

TEST_F(PipelineTest, GarbageFromReleaseFailsTheBuild) {
  release_ = "default_process_types: [unclosed\n";
  const Report report = build([](const Call&) { return sandbox::Exit{}; });
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::app, report.failure->kind);
  EXPECT_EQ("release", report.failure->phase);
}

TEST_F(PipelineTest, NoBuildpackIsItsOwnFailure) {
  options_.installed.clear();
  const Report report = build([](const Call&) { return sandbox::Exit{}; });
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::no_buildpack, report.failure->kind);
  EXPECT_THAT(log_, HasSubstr("Unable to select a buildpack"));
}

TEST_F(PipelineTest, TellsWhoseFaultItIs) {
  options_.source = temp_.path() / "absent";
  EXPECT_EQ(FailureClass::source, build(fill_cache).failure->kind);
  options_.app = "../demo";
  EXPECT_EQ(FailureClass::usage, build(fill_cache).failure->kind);
}

TEST_F(PipelineTest, AHardLimitKeepsTheSlug) {
  options_.slug_hard_limit = 10;
  const Report report = build([](const Call&) { return sandbox::Exit{}; });
  ASSERT_TRUE(report.failure.has_value());
  EXPECT_EQ(FailureClass::app, report.failure->kind);
  EXPECT_THAT(report.failure->message, HasSubstr((temp_.path() / "work/kept").native()));
  EXPECT_EQ("", stored(report.build, "slug.tgz"));
}

TEST_F(PipelineTest, OffAndRefreshDoNotRestore) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.cache = CacheMode::off;
  const Report off = build(expect_cache);
  EXPECT_TRUE(off.failure) << "nothing is restored";
  EXPECT_EQ("off", off.restore.outcome);
  options_.cache = CacheMode::refresh;
  const Report refreshed = build([](const Call&) { return sandbox::Exit{}; });
  EXPECT_EQ("off", refreshed.restore.outcome);
  EXPECT_EQ("saved", refreshed.save.outcome);
  options_.cache = CacheMode::on;
  EXPECT_TRUE(build(expect_cache).failure) << "the refresh saved an empty cache";
}

TEST_F(PipelineTest, ABuildThatFailsBeforeItNeedsTheCacheDidNotWaitForIt) {
  options_.source = temp_.path() / "absent";
  EXPECT_EQ("late", build(fill_cache).restore.outcome);
}

TEST_F(PipelineTest, FetchesAreOnlineWhereTheBuildIsNot) {
  class Bwrap : public FakeSandbox {
   public:
    using FakeSandbox::FakeSandbox;
    sandbox::Level level() const override { return sandbox::Level::bwrap; }
  };
  std::vector<sandbox::Network> opened;
  const Script idle = [](const Call&) { return sandbox::Exit{}; };
  Surroundings surroundings = fake_surroundings(faulty_, idle, kNow);
  surroundings.open_sandbox = [&](std::optional<sandbox::Level>,
                                  const sandbox::Config& config) -> Result<std::unique_ptr<sandbox::Sandbox>> {
    opened.push_back(config.network);
    return std::make_unique<Bwrap>(idle);
  };
  Console console;
  console.log = [](std::string_view) {};
  console.diagnostics = console.log;
  options_.network = sandbox::Network::off;
  EXPECT_FALSE(run(options_, console, surroundings, {}).report.failure);
  EXPECT_THAT(opened, testing::ElementsAre(sandbox::Network::off, sandbox::Network::on));
}

}  // namespace
}  // namespace hearth::build
