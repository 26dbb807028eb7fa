#include "build/stored_builds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/builds.h"
#include "build/report.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::build {
namespace {

using support::FaultyStore;
using support::Operation;
using support::Verb;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string build_name(int day) {
  return fmt::format("202601{:02}T000000Z-{:02}ab", day, day);
}

class StoredBuildsTest : public testing::Test {
 protected:
  enum class Outcome { succeeded, failed, no_report, never_published };

  void add(int day, Outcome outcome, const std::string& app = "demo") {
    const std::string name = build_name(day);
    const auto put = [&](std::string_view file, std::string_view text) {
      const store::Key key = build_key(app, name, file).value();
      ASSERT_TRUE(memory_.put(key, std::as_bytes(std::span(text)), store::Condition::none(), {}).has_value());
    };
    if (outcome != Outcome::never_published) {
      put(kSlugName, "the slug");
      put(kProcfileName, "web: \"x\"\n");
    }
    if (outcome == Outcome::no_report) return;
    Report report;
    report.app = app;
    report.slug = SlugReport{8, 1, util::sha256("the slug").hex(), "k"};
    if (outcome != Outcome::succeeded) report.failure = Failure{FailureClass::app, "compile", "exit code 1"};
    put(kLogName, "the log\n");
    put(kReportName, to_json(report));
  }

  BuildFolders folders(const std::string& app = "demo") { return list_builds(store_, app, {}).value(); }

  // As if this much time had passed since everything was written.
  static BuildFolders later(BuildFolders folders, std::chrono::seconds by) {
    for (auto& [build, files] : folders) {
      for (auto& [file, info] : files) info.now += by;
    }
    return folders;
  }

  std::vector<int> days_beyond(const BuildFolders& folders, std::size_t keep, std::string_view own = "") {
    std::vector<int> days;
    const auto beyond = builds_beyond(store_, folders, keep, own, {}).value();
    for (const std::string& build : beyond) {
      days.push_back(std::stoi(build.substr(6, 2)));
    }
    return days;
  }

  store::MemoryStore memory_;
  FaultyStore store_{memory_};
};

TEST_F(StoredBuildsTest, TheTimeIsPartOfTheName) {
  using std::chrono::sys_days;
  EXPECT_EQ(time_of_build("20260131T235958Z-ab"),
            sys_days{std::chrono::year{2026} / 1 / 31} + std::chrono::hours(24) - std::chrono::seconds(2));
  for (const char* other : {"", "2026", "20261301T000000Z-ab", "2026013xT000000Z-ab", "demo-20260131T235958Z"}) {
    EXPECT_FALSE(time_of_build(other)) << other;
  }
}

TEST_F(StoredBuildsTest, AllAreToldTheNewestFirst) {
  add(1, Outcome::succeeded);
  add(2, Outcome::failed);
  add(3, Outcome::no_report);
  add(4, Outcome::never_published, "other");
  const std::vector<StoredBuild> builds = stored_builds(store_, "demo", {}).value();
  ASSERT_EQ(builds.size(), 3U);
  EXPECT_EQ(builds[0].build, build_name(3));
  EXPECT_EQ(builds[0].state, BuildState::succeeded) << "it was published, and killed while it saved";
  EXPECT_EQ(builds[0].report, "");
  EXPECT_EQ(builds[1].state, BuildState::failed);
  EXPECT_EQ(builds[2].state, BuildState::succeeded);
  EXPECT_EQ(builds[2].objects, 4U);
  EXPECT_EQ(builds[2].slug_bytes, 8U);
  std::uint64_t bytes = 0;
  const BuildFolders all = folders();
  for (const auto& [file, info] : all.at(build_name(1))) bytes += info.size;
  EXPECT_EQ(builds[2].bytes, bytes);
  EXPECT_THAT(builds[2].report, HasSubstr("\"succeeded\""));
  EXPECT_THAT(stored_builds(store_, "nobody", {}).value(), IsEmpty());
}

TEST_F(StoredBuildsTest, ABuildThatWasNeverPublishedIsUnfinishedOrFailed) {
  add(1, Outcome::never_published);
  const std::string_view slug = "x";
  ASSERT_TRUE(memory_
                  .put(build_key("demo", build_name(2), kSlugName).value(), std::as_bytes(std::span(slug)),
                       store::Condition::none(), {})
                  .has_value());
  const std::vector<StoredBuild> builds = stored_builds(store_, "demo", {}).value();
  EXPECT_EQ(builds[0].state, BuildState::unfinished);
  EXPECT_EQ(builds[1].state, BuildState::failed);
}

TEST_F(StoredBuildsTest, AReportThatIsGoneMeanwhileIsNone) {
  add(1, Outcome::succeeded);
  const BuildFolders before = folders();
  ASSERT_TRUE(memory_.remove(build_key("demo", build_name(1), kReportName).value(), {}).has_value());
  EXPECT_EQ(stored_build(store_, before, build_name(1), {}).value().report, "");
}

TEST_F(StoredBuildsTest, AStoreThatDoesNotAnswerIsAnError) {
  add(1, Outcome::succeeded);
  store_.die_after(0, support::LastMutation::lost);
  ASSERT_FALSE(store_.put(build_key("x", "y", "z").value(), {}, store::Condition::none(), {}).has_value());
  EXPECT_EQ(stored_builds(store_, "demo", {}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(keep_newest(store_, "demo", 1, "", {}).error().kind, ErrorKind::unavailable);
}

TEST_F(StoredBuildsTest, ABuildIsNamedByTheBeginningOfItsNameOrId) {
  add(1, Outcome::succeeded);
  add(11, Outcome::succeeded);
  const BuildFolders all = folders();
  EXPECT_EQ(choose_build(all, "demo", build_name(1)).value(), build_name(1));
  EXPECT_EQ(choose_build(all, "demo", "2026011").value(), build_name(11));
  EXPECT_EQ(choose_build(all, "demo", "01ab").value(), build_name(1));
  EXPECT_EQ(choose_build(all, "demo", "11").value(), build_name(11));
  const Result<std::string> several = choose_build(all, "demo", "2026");
  ASSERT_FALSE(several.has_value());
  EXPECT_EQ(several.error().kind, ErrorKind::invalid);
  EXPECT_THAT(several.error().message, HasSubstr(build_name(11)));
  for (const char* none : {"", "3", "ab", "20270101"}) {
    EXPECT_EQ(choose_build(all, "demo", none).error().kind, ErrorKind::not_found) << none;
  }
}

TEST_F(StoredBuildsTest, ATextOfNoSizeThatOneHasIsNotRead) {
  const store::Key key = build_key("demo", build_name(1), kLogName).value();
  const std::vector<std::byte> large(kLargestText + 1);
  ASSERT_TRUE(memory_.put(key, large, store::Condition::none(), {}));
  EXPECT_EQ(get_text(store_, key, {}).error().kind, ErrorKind::invalid);
  ASSERT_TRUE(memory_.put(key, std::span(large).first(kLargestText), store::Condition::none(), {}));
  EXPECT_EQ(get_text(store_, key, {}).value().size(), kLargestText);
}

TEST_F(StoredBuildsTest, ARemovedBuildLeavesNothing) {
  add(1, Outcome::succeeded);
  add(2, Outcome::succeeded);
  const std::vector<std::string> gone = {build_name(1), "no such build"};
  const BuildRemoval removal = remove_builds(store_, folders(), gone, {}).value();
  EXPECT_THAT(removal.builds, ElementsAre(build_name(1)));
  EXPECT_EQ(removal.objects, 4U);
  EXPECT_EQ(folders().size(), 1U);
  EXPECT_EQ(newest_build(store_, "demo", {}).value().build, build_name(2));
}

TEST_F(StoredBuildsTest, ARemovalThatIsCutOffNeverLeavesABuildToRunWithoutItsReport) {
  // A build that failed while it was published has a slug and a Procfile, too.
  for (std::uint64_t survivors = 0; survivors < 4; ++survivors) {
    add(1, Outcome::failed);
    store_.die_after(survivors, support::LastMutation::lost);
    const std::vector<std::string> gone = {build_name(1)};
    EXPECT_FALSE(remove_builds(store_, folders(), gone, {}).has_value());
    store_.revive();
    EXPECT_FALSE(newest_build(store_, "demo", {}).has_value()) << "after " << survivors;
    EXPECT_TRUE(remove_builds(store_, folders(), gone, {}).has_value()) << "the rest goes with the next removal";
    EXPECT_THAT(folders(), IsEmpty());
  }
}

TEST_F(StoredBuildsTest, TheNewestStay) {
  for (int day = 1; day <= 5; ++day) add(day, Outcome::succeeded);
  EXPECT_THAT(days_beyond(folders(), 5), IsEmpty());
  EXPECT_THAT(days_beyond(folders(), 2), UnorderedElementsAre(1, 2, 3));
}

TEST_F(StoredBuildsTest, TheNewestThatSucceededStays) {
  add(1, Outcome::succeeded);
  add(2, Outcome::succeeded);
  for (int day = 3; day <= 6; ++day) add(day, Outcome::failed);
  EXPECT_THAT(days_beyond(folders(), 2), UnorderedElementsAre(1, 3, 4));
}

TEST_F(StoredBuildsTest, TheBuildThatAsksStays) {
  add(1, Outcome::succeeded);
  add(2, Outcome::no_report);
  add(3, Outcome::failed);
  add(4, Outcome::failed);
  EXPECT_THAT(days_beyond(later(folders(), std::chrono::hours(48)), 1, build_name(2)), UnorderedElementsAre(1, 3));
}

TEST_F(StoredBuildsTest, WhatMayBeAtWorkStaysForADay) {
  add(1, Outcome::no_report);
  const std::string_view slug = "x";
  ASSERT_TRUE(memory_
                  .put(build_key("demo", build_name(2), kSlugName).value(), std::as_bytes(std::span(slug)),
                       store::Condition::none(), {})
                  .has_value());
  add(3, Outcome::succeeded);
  EXPECT_THAT(days_beyond(later(folders(), std::chrono::hours(23)), 1), IsEmpty());
  EXPECT_THAT(days_beyond(later(folders(), std::chrono::hours(25)), 1), UnorderedElementsAre(1, 2));
}

TEST_F(StoredBuildsTest, OneThatMayStillFailDoesNotStandForTheNewestThatSucceeded) {
  add(1, Outcome::succeeded);
  add(2, Outcome::succeeded);
  add(3, Outcome::no_report);
  EXPECT_THAT(days_beyond(folders(), 1), UnorderedElementsAre(1));
  EXPECT_THAT(days_beyond(folders(), 1, build_name(3)), UnorderedElementsAre(1, 2)) << "it knows of itself";
}

TEST_F(StoredBuildsTest, OnlyThisAppsBuildsAreRemoved) {
  for (int day = 1; day <= 3; ++day) {
    add(day, Outcome::succeeded);
    add(day, Outcome::succeeded, "demo2");
  }
  const BuildRemoval removal = keep_newest(store_, "demo", 1, "", {}).value();
  EXPECT_THAT(removal.builds, ElementsAre(build_name(1), build_name(2)));
  EXPECT_EQ(folders().size(), 1U);
  EXPECT_EQ(folders("demo2").size(), 3U);
}

TEST_F(StoredBuildsTest, AnEarlierBuildCanBeHad) {
  add(1, Outcome::succeeded);
  add(2, Outcome::failed);
  add(3, Outcome::succeeded);
  EXPECT_EQ(published_build(store_, "demo", "01ab", {}).value().build, build_name(1));
  const auto failed = published_build(store_, "demo", "02ab", {});
  EXPECT_EQ(failed.error().kind, ErrorKind::not_found);
  EXPECT_THAT(failed.error().message, HasSubstr("has nothing to run"));
  EXPECT_EQ(published_build(store_, "demo", "9", {}).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hearth::build
