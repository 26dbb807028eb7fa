// What a build that fails is blamed on, says, keeps, and leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/build_folders.h"
#include "build/builds.h"
#include "pipeline_fixture.h"

namespace hearth::build {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class PipelineFailureTest : public PipelineTest {
 protected:
  static sandbox::Exit idle(const Call&) { return {}; }

  void SetUp() override {
    PipelineTest::SetUp();
    options_.cache = CacheMode::off;
  }
  fs::path kept() const { return temp_.path() / "work/kept"; }

  // The store is silent from the slug on, and answers again when the build leaves its records.
  void fall_silent_at_the_publish(const std::function<void()>& then) {
    faulty_.before_each([this, then](const support::Operation& operation) {
      if (operation.verb == Verb::put && operation.key.ends_with("/slug.tgz")) {
        faulty_.stall();
        then();
      }
      if (operation.key.ends_with("/log.txt")) faulty_.resume();
    });
  }
};

TEST_F(PipelineFailureTest, APublishThatIsCutOffIsToldInTheFolderThatItBegan) {
  // The Procfile arrives, and nobody hears of it: all that is needed for a build to run is there.
  faulty_.before_each([&](const support::Operation& operation) {
    if (operation.verb == Verb::put && operation.key.ends_with("/slug.tgz")) {
      faulty_.die_after(1, support::LastMutation::unacknowledged);
    } else if (operation.verb == Verb::list || operation.key.ends_with("/log.txt")) {
      faulty_.revive();
    }
  });
  const Report report = build(idle);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::store, report.failure->kind);
  const BuildFolders folders = list_builds(memory_, "demo", {}).value();
  ASSERT_EQ(1U, folders.size());
  EXPECT_EQ(report.build, folders.begin()->first);
  EXPECT_TRUE(is_published(folders.begin()->second));
  EXPECT_TRUE(folders.begin()->second.contains(kReportName));
  EXPECT_EQ(ErrorKind::not_found, newest_build(memory_, "demo", {}).error().kind) << "it failed";
}

TEST_F(PipelineFailureTest, ADeadlineAtThePublishSaysWhereTheSlugIs) {
  fall_silent_at_the_publish([] {});
  options_.build_timeout = 3s;
  const Report report = build(idle);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::deadline, report.failure->kind);
  const fs::path slug = kept() / ("demo-" + report.build + ".tgz");
  EXPECT_TRUE(fs::exists(slug));
  EXPECT_THAT(report.failure->message, HasSubstr("(--build-timeout); the slug is kept in " + slug.native()));
}

TEST_F(PipelineFailureTest, AnInterruptedPublishKeepsNoSlug) {
  std::stop_source stop;
  fall_silent_at_the_publish([&] { stop.request_stop(); });
  const Report report = build(idle, stop.get_token());
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::interrupted, report.failure->kind);
  EXPECT_EQ("the build was interrupted", report.failure->message);
  EXPECT_FALSE(fs::exists(kept()));
}

TEST_F(PipelineFailureTest, ASandboxThatDoesNotStartIsNobodysFaultButOurs) {
  for (const char* program : {"detect", "compile", "release"}) {
    broken_ = {{program, {.kind = ErrorKind::denied, .message = "bubblewrap could not start the command"}}};
    const Report report = build(idle);
    ASSERT_TRUE(report.failure) << program;
    EXPECT_EQ(FailureClass::internal, report.failure->kind) << program;
    EXPECT_EQ(program, report.failure->phase);
  }
}

TEST_F(PipelineFailureTest, ADirectoryThatABuildpackRemovedIsItsOwn) {
  broken_ = {{"release", {.kind = ErrorKind::not_found, .message = "entering BUILD_DIR"}}};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(util::remove_tree(call.build));
    return {};
  });
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::app, report.failure->kind);
  EXPECT_THAT(report.failure->message, HasSubstr("removed BUILD_DIR"));
}

TEST_F(PipelineFailureTest, ALinkInThePlaceOfTheAppIsNotPublished) {
  fs::create_directories(temp_.path() / "elsewhere");
  ASSERT_TRUE(util::write_file(temp_.path() / "elsewhere/Procfile", "web: theirs\n"));
  const Report report = build([&](const Call& call) -> sandbox::Exit {
    EXPECT_TRUE(util::remove_tree(call.build));
    fs::create_directory_symlink(temp_.path() / "elsewhere", call.build);
    return {};
  });
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(FailureClass::app, report.failure->kind);
  EXPECT_EQ("", stored(report.build, "slug.tgz"));
}

TEST_F(PipelineFailureTest, WhatDetectLeavesAtThePlaceOfTheCacheIsNoCache) {
  options_.cache = CacheMode::on;
  ASSERT_FALSE(build(fill_cache).failure);
  fs::create_directories(temp_.path() / "elsewhere");
  watch_ = [&](const Call& call) {
    if (call.program == "detect") fs::create_directory_symlink(temp_.path() / "elsewhere", slot() / "tmp/cache");
  };
  const Report report = build(expect_cache);
  EXPECT_FALSE(report.failure) << report.failure->message << log_;
  EXPECT_TRUE(fs::is_empty(temp_.path() / "elsewhere"));
}

TEST_F(PipelineFailureTest, AnEmptyKeyIsNone) {
  options_.config_vars.assignments = {"SSH_KEY="};
  const Report report = build(idle);
  EXPECT_FALSE(report.failure) << report.failure->message;
  ASSERT_EQ(1U, sandboxes_.size());
  EXPECT_TRUE(sandboxes_.front().sockets.empty()) << "nobody listens there";
}

TEST_F(PipelineFailureTest, WhatIsHandedOnIsMaskedToo) {
  options_.host_environment = {{"TOKEN", "handed-on-token"}, {"HTTPS_PROXY", "http://me:proxy-password@proxy:3128"}};
  options_.pass_env = {"TOKEN"};
  const Report report = build([](const Call& call) -> sandbox::Exit {
    for (const char* name : {"TOKEN", "HTTPS_PROXY"}) call.out(call.environment.at(name) + "\n");
    return {};
  });
  EXPECT_FALSE(report.failure);
  EXPECT_THAT(log_, Not(HasSubstr("handed-on-token")));
  EXPECT_THAT(log_, Not(HasSubstr("proxy-password")));
  EXPECT_THAT(log_, HasSubstr("http://********@proxy:3128\n"));
}

}  // namespace
}  // namespace hearth::build
