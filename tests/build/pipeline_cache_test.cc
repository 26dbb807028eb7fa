// What a build does where its cache is suspect, is not worth its time, or is what a failed build left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline_cache_fixture.h"

namespace hearth::build {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(PipelineCacheTest, ASuspectCacheIsReplacedWhereACompileSucceedsWithout) {
  const Report first = build(fill_cache);
  calls_.clear();
  const Report report = build(fail_warm);
  ASSERT_FALSE(report.failure) << report.failure->message << log_;
  EXPECT_EQ(2U, compiles());
  EXPECT_EQ("succeeded", report.retry);
  EXPECT_THAT(log_, HasSubstr("it runs once more with an empty one"));
  EXPECT_THAT(log_, HasSubstr(first.save.generation + ", made compile fail; it is set aside"));
  ASSERT_THAT(head().aside, SizeIs(1));
  EXPECT_EQ(first.save.generation, head().aside.front().id);
  EXPECT_FALSE(head().aside.front().failed);
  EXPECT_EQ("saved", report.save.outcome);
  ASSERT_THAT(head().generations, SizeIs(1));
  EXPECT_EQ(report.save.generation, head().generations.front().id);
  const Report next = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::exists(call.cache / "fresh"));
    EXPECT_FALSE(fs::exists(call.cache / "kept"));
    return {};
  });
  EXPECT_FALSE(next.failure);
  EXPECT_EQ("hit", next.restore.outcome);
  EXPECT_THAT(stored(report.build, "report.json"), HasSubstr("\"retry\": \"succeeded\""));
}

TEST_F(PipelineCacheTest, TheSecondCompileStartsFromWhatTheFirstOneDid) {
  ASSERT_TRUE(util::write_file(temp_.path() / "app/run", "#!/bin/sh\n", 0755).has_value());
  ASSERT_FALSE(build(fill_cache).failure);
  options_.config_vars.assignments = {"COLOUR=red"};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    const fs::path tmp = call.build.parent_path();
    const fs::path home = call.environment.at("HOME");
    const fs::path pack = tmp / "buildpacks" / call.folder;
    EXPECT_EQ("red", util::read_file(call.env / "COLOUR").value_or("gone"));
    EXPECT_EQ("web: serve\n", util::read_file(call.build / "Procfile").value_or("gone"));
    EXPECT_EQ(fs::perms(0755), fs::status(call.build / "run").permissions() & fs::perms::mask);
    for (const fs::path& made : {call.build / "junk", tmp / "junk", home / "junk", pack / "export", call.cache / "x"}) {
      EXPECT_FALSE(fs::exists(made)) << made;
      EXPECT_TRUE(util::write_file(made, "of the compile").has_value()) << made;
    }
    EXPECT_TRUE(util::remove_tree(call.env).has_value());
    EXPECT_TRUE(util::remove_tree(call.build / "Procfile").has_value());
    return {.code = fs::exists(call.cache / "kept") ? 9 : 0};
  });
  EXPECT_FALSE(report.failure) << report.failure->message;
  EXPECT_EQ("succeeded", report.retry);
  EXPECT_THAT(report.buildpacks, SizeIs(1));
}

TEST_F(PipelineCacheTest, AnAppThatFailsWithoutItTooKeepsTheGoodCache) {
  const Report first = build(fill_cache);
  const cache::Head before = head();
  calls_.clear();
  const Report report = build(fail_always);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::app, report.failure->kind);
  EXPECT_EQ("compile", report.failure->phase);
  EXPECT_EQ(2U, compiles());
  EXPECT_EQ("failed", report.retry);
  EXPECT_THAT(log_, HasSubstr("the cache is not the cause, and stays"));
  EXPECT_EQ(before, head());
  EXPECT_EQ(first.save.generation, build(expect_cache).restore.generation);
}

TEST_F(PipelineCacheTest, ACacheThatHasServedIsNotSuspect) {
  make_served();
  const Report report = build(fail_warm);
  EXPECT_TRUE(report.failure);
  EXPECT_EQ(1U, compiles());
  EXPECT_EQ("not-run", report.retry);
  EXPECT_THAT(log_, HasSubstr("--cache refresh"));
}

TEST_F(PipelineCacheTest, WhetherItIsSuspectIsSaidOnlyWhereItIsKnown) {
  make_served();
  EXPECT_TRUE(build(fail_warm).failure);
  EXPECT_THAT(log_, HasSubstr("The restored cache is not suspect"));
  const std::string_view later = R"({"version": 999, "builds": []})";
  const store::Key key = store::Key::parse("apps/demo/history.json").value();
  ASSERT_TRUE(memory_.put(key, std::as_bytes(std::span(later)), store::Condition::none(), {}));
  EXPECT_TRUE(build(fail_warm).failure);
  EXPECT_THAT(log_, Not(HasSubstr("is not suspect")));
  EXPECT_THAT(log_, HasSubstr("could not be found out; to do without it, build with --cache refresh"));
}

TEST_F(PipelineCacheTest, TheCopyForASecondCompileGoesOnceItIsNotNeeded) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.retry_cold = RetryCold::always;
  std::vector<std::string> seen;
  watch_ = [&](const Call& call) {
    if (fs::exists(slot() / "private/pristine")) seen.push_back(call.program);
  };
  EXPECT_FALSE(build(expect_cache).failure);
  EXPECT_THAT(seen, testing::Contains("compile"));
  EXPECT_THAT(seen, Not(testing::Contains("release")));
}

TEST_F(PipelineCacheTest, WhereNoCopyCanBeMadeTheBuildGoesOn) {
  ASSERT_FALSE(build(fill_cache).failure);
  options_.retry_cold = RetryCold::always;
  fs::create_directories(temp_.path() / "elsewhere");
  watch_ = [&](const Call& call) {
    if (call.program != "detect") return;
    EXPECT_TRUE(util::remove_tree(call.build));
    fs::create_directory_symlink(temp_.path() / "elsewhere", call.build);
  };
  const Report report = build([&](const Call&) -> sandbox::Exit {
    EXPECT_FALSE(fs::exists(slot() / "private/pristine"));
    return {.code = 9};
  });
  EXPECT_TRUE(report.failure);
  EXPECT_EQ("not-run", report.retry);
  EXPECT_THAT(log_, HasSubstr("A second compile, with an empty cache, was not possible"));
}

TEST_F(PipelineCacheTest, ASourceVersionThatWasBuiltMakesTheCacheSuspect) {
  options_.source_version = "abc";
  make_served();
  EXPECT_FALSE(build(fail_warm).failure);
  EXPECT_EQ(2U, compiles());
  make_served();
  options_.source_version = "another";
  EXPECT_TRUE(build(fail_warm).failure);
  EXPECT_EQ(1U, compiles());
}

TEST_F(PipelineCacheTest, AlwaysAndNeverAreWhatTheySay) {
  make_served();
  options_.retry_cold = RetryCold::always;
  EXPECT_FALSE(build(fail_warm).failure);
  EXPECT_EQ(2U, compiles());
  options_.retry_cold = RetryCold::never;
  options_.cache = CacheMode::refresh;
  ASSERT_FALSE(build(fill_cache).failure);
  options_.cache = CacheMode::on;
  calls_.clear();
  EXPECT_TRUE(build(fail_warm).failure);
  EXPECT_EQ(1U, compiles());
  EXPECT_THAT(log_, Not(HasSubstr("--cache refresh")));
}

TEST_F(PipelineCacheTest, AColdBuildThatFailsIsNotTriedAgain) {
  EXPECT_TRUE(build(fail_always).failure);
  EXPECT_EQ(1U, compiles());
  EXPECT_THAT(log_, Not(HasSubstr("--cache refresh")));
}

TEST_F(PipelineCacheTest, OnlyTheAppsOwnFailureIsTriedAgain) {
  ASSERT_FALSE(build(fill_cache).failure);
  calls_.clear();
  std::stop_source stop;
  const Report report = build(
      [&](const Call&) -> sandbox::Exit {
        stop.request_stop();
        return {.code = 143, .signal = 15, .stopped = true};
      },
      stop.get_token());
  EXPECT_EQ(FailureClass::interrupted, report.failure->kind);
  EXPECT_EQ(1U, compiles());
}

TEST_F(PipelineCacheTest, TheSecondCompileIsInsideTheBuildsTime) {
  ASSERT_FALSE(build(fill_cache).failure);
  const cache::Head before = head();
  options_.build_timeout = 5s;
  const Report report = build([](const Call& call) -> sandbox::Exit {
    if (fs::exists(call.cache / "kept")) return {.code = 9};
    while (!call.stop.stop_requested()) std::this_thread::yield();
    return {.code = 143, .signal = 15, .stopped = true};
  });
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::deadline, report.failure->kind);
  EXPECT_EQ("unfinished", report.retry);
  EXPECT_EQ(before, head());
}

TEST_F(PipelineCacheTest, ACacheThatIsOnlyReadIsNotSetAside) {
  ASSERT_FALSE(build(fill_cache).failure);
  const cache::Head before = head();
  options_.cache = CacheMode::read_only;
  EXPECT_FALSE(build(fail_warm).failure);
  EXPECT_THAT(log_, HasSubstr("build with --cache refresh to replace it"));
  EXPECT_EQ(before, head());
}

TEST_F(PipelineCacheTest, TheHistoryTellsWhatBuildsWere) {
  options_.source_version = "abc";
  const Report cold = build(fill_cache);
  const Report warm = build(expect_cache);
  const Report failed = build(fail_always);
  const History past = history();
  ASSERT_THAT(past, SizeIs(3));
  EXPECT_EQ(cold.build, past[0].build);
  EXPECT_TRUE(past[0].succeeded);
  EXPECT_EQ("abc", past[0].source_version);
  EXPECT_EQ("miss", past[0].restore);
  EXPECT_EQ(Temperature::cold, past[0].compiled);
  EXPECT_EQ("saved", past[0].save);
  EXPECT_EQ(cold.save.generation, past[0].saved_generation);
  EXPECT_EQ(cold.save.uploaded_bytes, past[0].uploaded_bytes);
  EXPECT_EQ("hit", past[1].restore);
  EXPECT_EQ(Temperature::warm, past[1].compiled);
  EXPECT_EQ(warm.restore.generation, past[1].generation);
  EXPECT_EQ(warm.restore.fetched_bytes, past[1].fetched_bytes);
  EXPECT_EQ("unchanged", past[1].save);
  EXPECT_FALSE(past[2].succeeded);
  EXPECT_EQ("failed", past[2].retry);
  EXPECT_EQ("not-run", past[2].save);
}

TEST_F(PipelineCacheTest, ABuildThatEndsBeforeItNeedsTheCacheSaysNothingOfIt) {
  options_.source = temp_.path() / "absent";
  EXPECT_TRUE(build(fill_cache).failure);
  ASSERT_THAT(history(), SizeIs(1));
  EXPECT_EQ("not-run", history().front().restore);
  EXPECT_EQ(Temperature::none, history().front().compiled);
}

TEST_F(PipelineCacheTest, AHistoryThatCannotBeKeptIsANotice) {
  faulty_.before_each([&](const support::Operation& operation) {
    if (operation.verb == Verb::put && operation.key.ends_with("/history.json")) {
      faulty_.refuse(Verb::put, ErrorKind::denied);
    }
  });
  const Report report = build(fill_cache);
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("saved", report.save.outcome);
  EXPECT_THAT(diagnostics_, HasSubstr("missing in the app's history"));
}

TEST_F(PipelineCacheTest, ATestRunIsNotRemembered) {
  ASSERT_TRUE(util::write_file(temp_.path() / "packs/one/bin/test", "#!/bin/sh\n", 0755).has_value());
  options_.purpose = buildpack::Purpose::test;
  options_.publish = Publish::no;
  EXPECT_FALSE(build(fill_cache).failure);
  EXPECT_THAT(history(), IsEmpty());
}

TEST_F(PipelineCacheTest, AutoSkipsACacheThatCostsMoreThanItSaves) {
  ASSERT_FALSE(build(fill_cache).failure);
  for (int i = 0; i < 4; ++i) {
    PastBuild past = history().front();
    past.build = fmt::format("20250101T00000{}Z-00", i);
    past.compile_time = 2s;
    if (i > 0) {
      past.compiled = Temperature::warm;
      past.restore = "hit";
      past.waited = 9s;
    }
    ASSERT_TRUE(remember_build(memory_, "demo", past, std::nullopt, {}).has_value());
  }
  const cache::Head before = head();
  options_.cache = CacheMode::automatic;
  const Report skipped = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(fs::is_empty(call.cache));
    return {};
  });
  EXPECT_FALSE(skipped.failure);
  EXPECT_EQ("skipped", skipped.restore.outcome);
  EXPECT_EQ("skipped", skipped.save.outcome);
  EXPECT_THAT(log_, HasSubstr("The cache is skipped, since it costs more than it saves"));
  EXPECT_THAT(log_, Not(HasSubstr("Restoring cache")));
  EXPECT_EQ(before, head());
  for (int i = 1; i < 10; ++i) EXPECT_EQ("skipped", build(do_nothing).restore.outcome) << i;
  const Report tried = build(expect_cache);
  EXPECT_FALSE(tried.failure);
  EXPECT_EQ("hit", tried.restore.outcome);
  EXPECT_THAT(log_, HasSubstr("The cache is tried again"));
}

TEST_F(PipelineCacheTest, AutoUsesACacheThatNothingIsKnownOf) {
  options_.cache = CacheMode::automatic;
  EXPECT_FALSE(build(fill_cache).failure);
  EXPECT_FALSE(build(expect_cache).failure);
}

TEST_F(PipelineCacheTest, TheAppMaySwitchAnAutomaticCacheOff) {
  options_.cache = CacheMode::automatic;
  options_.config_vars.assignments = {"HEARTH_CACHE=off"};
  EXPECT_EQ("off", build(fill_cache).restore.outcome);
}

TEST_F(PipelineCacheTest, AFailedBuildsCacheIsKeptAside) {
  options_.retry_cold = RetryCold::never;
  const Report good = build(fill_cache);
  options_.save_on_failure = SaveOnFailure::quarantine;
  const Report failed = build(fail_always);
  EXPECT_TRUE(failed.failure);
  EXPECT_EQ("quarantined", failed.save.outcome);
  ASSERT_THAT(head().aside, SizeIs(1));
  EXPECT_TRUE(head().aside.front().failed);
  EXPECT_EQ(failed.save.generation, head().aside.front().id);
  EXPECT_EQ(good.save.generation, head().generations.front().id);
  // Nobody gets it who does not ask for it.
  const Report other = build([](const Call& call) -> sandbox::Exit {
    EXPECT_FALSE(fs::exists(call.cache / "left"));
    return {.code = 1};
  });
  EXPECT_EQ(good.save.generation, other.restore.generation);
}

TEST_F(PipelineCacheTest, AFailedBuildsCacheServesWhoAsksForItAndGoesWithASuccess) {
  options_.retry_cold = RetryCold::never;
  options_.save_on_failure = SaveOnFailure::quarantine;
  const Report failed = build(fail_always);
  EXPECT_EQ("quarantined", failed.save.outcome);
  EXPECT_THAT(head().generations, IsEmpty());
  options_.cache_from = cache::From::failed_first;
  const Report report =
      build([](const Call& call) { return sandbox::Exit{.code = fs::exists(call.cache / "left") ? 0 : 9}; });
  ASSERT_FALSE(report.failure) << log_;
  EXPECT_EQ(failed.save.generation, report.restore.generation);
  EXPECT_THAT(log_, HasSubstr("Restored what a failed build left"));
  EXPECT_EQ("saved", report.save.outcome) << "though nothing changed";
  EXPECT_THAT(head().aside, IsEmpty());
  EXPECT_THAT(head().generations, SizeIs(1));
}

TEST_F(PipelineCacheTest, ASuccessDropsWhatAFailedBuildLeftAlsoWhereNothingChanged) {
  options_.retry_cold = RetryCold::never;
  ASSERT_FALSE(build(fill_cache).failure);
  options_.save_on_failure = SaveOnFailure::quarantine;
  EXPECT_EQ("quarantined", build(fail_always).save.outcome);
  EXPECT_EQ("unchanged", build(expect_cache).save.outcome);
  EXPECT_THAT(head().aside, IsEmpty());
}

TEST_F(PipelineCacheTest, AnInterruptedBuildLeavesNothingAside) {
  options_.save_on_failure = SaveOnFailure::quarantine;
  std::stop_source stop;
  const Report report = build(
      [&](const Call& call) -> sandbox::Exit {
        stop.request_stop();
        return fail_always(call);
      },
      stop.get_token());
  EXPECT_EQ(FailureClass::interrupted, report.failure->kind);
  EXPECT_EQ("not-run", report.save.outcome);
}

}  // namespace
}  // namespace hearth::build
