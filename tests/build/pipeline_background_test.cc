// --save background, with a function in the place of the process that goes on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "build/background.h"
#include "build/stored_builds.h"
#include "pipeline_cache_fixture.h"

namespace hearth::build {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class BackgroundTest : public PipelineCacheTest {
 protected:
  void SetUp() override {
    PipelineCacheTest::SetUp();
    options_.save = SaveWhen::background;
    slot_stays_ = true;
    start_saver_ = [this](const SaverInput& input) -> Result<void> {
      job_ = util::Fd(::fcntl(input.job.get(), F_DUPFD_CLOEXEC, 3));
      lock_ = util::Fd(::fcntl(input.lock.get(), F_DUPFD_CLOEXEC, 3));
      return {};
    };
  }

  // What the saver does.
  Result<void> finish(std::stop_token stop = {}) {
    slot_stays_ = false;
    return finish_save({std::move(job_), std::move(lock_)}, fake_surroundings(faulty_, do_nothing, kNow),
                       std::move(stop));
  }

  util::Fd job_;
  util::Fd lock_;
};

TEST_F(BackgroundTest, ASaveIsHandedOverAndFinished) {
  const Report report = build(fill_cache);
  ASSERT_FALSE(report.failure);
  EXPECT_EQ("background", report.save.outcome);
  EXPECT_THAT(stored(report.build, "report.json"), HasSubstr("\"outcome\": \"background\""));
  EXPECT_EQ("background", history().front().save);
  EXPECT_THAT(log_, HasSubstr("Saving cache in the background"));
  // The directory is the saver's.
  remove_abandoned(options_.work_root);
  EXPECT_TRUE(fs::exists(slot() / "tmp/cache/kept"));
  EXPECT_EQ("1", WorkDir::open(options_.work_root, "demo").value().tmp().parent_path().filename());

  ASSERT_TRUE(finish().has_value());
  EXPECT_FALSE(fs::exists(slot()));
  const auto json = nlohmann::json::parse(stored(report.build, "report.json"));
  EXPECT_EQ("saved", json["cache"]["save"]["outcome"]);
  EXPECT_EQ("succeeded", json["outcome"]);
  EXPECT_EQ("save", json["phases"].back()["name"]);
  EXPECT_GT(json["store"]["requests"]["put"], report.store.put);
  const std::string log = stored(report.build, "log.txt");
  EXPECT_THAT(log, HasSubstr("Demo app detected"));
  EXPECT_THAT(log, HasSubstr("Saved 1 entry"));
  ASSERT_THAT(history(), SizeIs(1));
  EXPECT_EQ("saved", history().front().save);
  EXPECT_EQ(head().generations.front().id, history().front().saved_generation);
  options_.save = SaveWhen::wait;
  EXPECT_FALSE(build(expect_cache).failure);
}

TEST_F(BackgroundTest, AKilledSaverLeavesTheOldCache) {
  slot_stays_ = false;
  options_.save = SaveWhen::wait;
  ASSERT_FALSE(build(fill_cache).failure);
  const cache::Head before = head();
  slot_stays_ = true;
  options_.save = SaveWhen::background;
  const Report report = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(util::remove_tree(call.cache).has_value());
    return {};
  });
  job_.close();
  lock_.close();
  EXPECT_EQ(before, head());
  EXPECT_THAT(stored(report.build, "report.json"), HasSubstr("\"outcome\": \"background\""));
  slot_stays_ = false;
  options_.save = SaveWhen::wait;
  EXPECT_FALSE(build(expect_cache).failure) << "in the same slot, which nobody holds any more";
}

TEST_F(BackgroundTest, ABuildThatWasRemovedMeanwhileDoesNotComeBack) {
  const Report report = build(fill_cache);
  const BuildFolders folders = list_builds(memory_, "demo", {}).value();
  ASSERT_TRUE(remove_builds(memory_, folders, std::vector{report.build}, {}));
  ASSERT_TRUE(finish().has_value());
  EXPECT_THAT(list_builds(memory_, "demo", {}).value(), IsEmpty());
  EXPECT_THAT(head().generations, SizeIs(1)) << "its cache is saved all the same";
}

TEST_F(BackgroundTest, ItMasksWhatTheBuildMasks) {
  options_.host_environment = {{"TOKEN", "handed-on-token"}};
  options_.pass_env = {"TOKEN"};
  ASSERT_FALSE(build(fill_cache).failure);
  std::string bytes(1 << 20, '\0');
  bytes.resize(util::read_at(job_.get(), std::as_writable_bytes(std::span(bytes)), 0).value());
  EXPECT_THAT(decode_job(bytes).value().secrets, testing::Contains("handed-on-token"));
  ASSERT_TRUE(finish().has_value());
}

TEST_F(BackgroundTest, AStoppedSaverSaysSo) {
  const Report report = build(fill_cache);
  std::stop_source stop;
  stop.request_stop();
  ASSERT_TRUE(finish(stop.get_token()).has_value());
  const auto json = nlohmann::json::parse(stored(report.build, "report.json"));
  EXPECT_EQ("late", json["cache"]["save"]["outcome"]);
  EXPECT_THAT(stored(report.build, "log.txt"), HasSubstr("Saving the cache was interrupted"));
}

TEST_F(BackgroundTest, WithoutASaverItIsDoneAtOnce) {
  start_saver_ = nullptr;
  slot_stays_ = false;
  const Report report = build(fill_cache);
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("saved", report.save.outcome);
  EXPECT_THAT(log_, HasSubstr("No process could be started for the save"));
  EXPECT_THAT(stored(report.build, "report.json"), HasSubstr("\"outcome\": \"saved\""));
  EXPECT_EQ("saved", history().front().save);
}

TEST_F(BackgroundTest, ASignalBeforeTheSaveEndsIt) {
  slot_stays_ = false;
  std::stop_source stop;
  faulty_.before_each([&](const support::Operation& operation) {
    if (operation.key.ends_with("/Procfile")) stop.request_stop();
  });
  const Report report = build(fill_cache, stop.get_token());
  EXPECT_FALSE(report.failure);
  EXPECT_EQ("late", report.save.outcome);
  EXPECT_FALSE(job_);
}

TEST_F(BackgroundTest, WhatAFailedBuildLeavesIsSavedByItToo) {
  options_.save_on_failure = SaveOnFailure::quarantine;
  const Report report = build(fail_always);
  EXPECT_TRUE(report.failure);
  ASSERT_TRUE(finish().has_value());
  const auto json = nlohmann::json::parse(stored(report.build, "report.json"));
  EXPECT_EQ("quarantined", json["cache"]["save"]["outcome"]);
  EXPECT_EQ("failed", json["outcome"]);
  EXPECT_TRUE(head().aside.front().failed);
}

TEST_F(BackgroundTest, ACulpritIsSetAsideByIt) {
  slot_stays_ = false;
  options_.save = SaveWhen::wait;
  const Report first = build(fill_cache);
  slot_stays_ = true;
  options_.save = SaveWhen::background;
  EXPECT_EQ("succeeded", build(fail_warm).retry);
  EXPECT_THAT(head().aside, IsEmpty());
  ASSERT_TRUE(finish().has_value());
  ASSERT_THAT(head().aside, SizeIs(1));
  EXPECT_EQ(first.save.generation, head().aside.front().id);
}

}  // namespace
}  // namespace hearth::build
