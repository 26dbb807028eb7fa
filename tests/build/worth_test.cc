#include "build/worth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::build {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

PastBuild built(Temperature temperature, Seconds compile, Seconds waited = {}) {
  static int number = 0;
  PastBuild build;
  build.build = fmt::format("{:06}", ++number);
  build.succeeded = true;
  build.compiled = temperature;
  build.compile_time = compile;
  build.waited = waited;
  build.restore_time = waited * 2;
  build.restore = temperature == Temperature::warm ? "hit" : "miss";
  build.fetched_bytes = temperature == Temperature::warm ? 100 : 0;
  build.save = "saved";
  build.save_time = 3s;
  build.uploaded_bytes = 10;
  return build;
}

PastBuild cold(Seconds compile) {
  return built(Temperature::cold, compile);
}

PastBuild warm(Seconds compile, Seconds waited) {
  return built(Temperature::warm, compile, waited);
}

PastBuild skipped(Seconds compile) {
  PastBuild build = cold(compile);
  build.restore = build.save = "skipped";
  return build;
}

History operator+(History history, PastBuild build) {
  history.push_back(std::move(build));
  return history;
}

History repeated(History history, std::size_t times, const PastBuild& build) {
  history.insert(history.end(), times, build);
  return history;
}

TEST(CacheStats, CountAndCompare) {
  PastBuild failed = warm(1s, 1s);
  failed.succeeded = false;
  PastBuild late = cold(50s);
  late.restore = "late";
  const CacheStats stats = stats_of({cold(40s), late, warm(10s, 2s), warm(12s, 4s), failed});
  EXPECT_EQ(5U, stats.builds);
  EXPECT_EQ(4U, stats.succeeded);
  EXPECT_EQ(5U, stats.restores);
  EXPECT_EQ(3U, stats.hits);
  EXPECT_EQ(Seconds(4s), stats.restore_time);
  EXPECT_EQ(Seconds(2s), stats.waited);
  EXPECT_EQ(300U, stats.fetched_bytes);
  EXPECT_EQ(5U, stats.saves);
  EXPECT_EQ(Seconds(3s), stats.save_time);
  EXPECT_EQ(50U, stats.uploaded_bytes);
  EXPECT_EQ(Seconds(45s), stats.cold_compile);
  EXPECT_EQ(Seconds(11s), stats.warm_compile);
  ASSERT_EQ(2U, stats.saved.size());
  EXPECT_EQ(Seconds(33s), stats.saved[0].seconds);
  EXPECT_EQ(Seconds(29s), stats.saved[1].seconds);
  EXPECT_EQ(Seconds(62s), stats.saved_in_sum);
  EXPECT_EQ(Seconds(31s), stats.saved_per_build);
  EXPECT_THAT(stats.until_compiled, testing::ElementsAre(Seconds(40s), Seconds(50s), Seconds(12s), Seconds(16s)));
}

TEST(CacheStats, SayNothingOfWhatThereIsNot) {
  EXPECT_EQ(0U, stats_of({}).builds);
  EXPECT_FALSE(stats_of({}).restore_time);
  const CacheStats stats = stats_of({warm(1s, 1s)});
  EXPECT_FALSE(stats.cold_compile);
  EXPECT_THAT(stats.saved, IsEmpty());
  EXPECT_FALSE(stats.saved_per_build);
}

TEST(CacheStats, GoByTheNewestBuilds) {
  const CacheStats stats = stats_of(repeated(repeated({}, 20, cold(100s)), kSamples, cold(10s)) + warm(1s, 1s));
  EXPECT_EQ(Seconds(10s), stats.cold_compile);
  EXPECT_EQ(Seconds(8s), stats.saved_per_build);
}

TEST(CacheStats, ACacheThatCostsSavesLessThanNothing) {
  EXPECT_EQ(Seconds(-4s), stats_of({cold(1s), warm(1s, 4s)}).saved_per_build);
}

TEST(Judge, UsesACacheThatSaves) {
  const Judgement judgement = judge(repeated({cold(40s)}, 5, warm(10s, 2s)));
  EXPECT_TRUE(judgement.use);
  EXPECT_EQ("", judgement.reason);
}

TEST(Judge, UsesACacheThatItKnowsTooLittleOf) {
  EXPECT_TRUE(judge({}).use);
  EXPECT_TRUE(judge(repeated({}, 50, warm(10s, 20s))).use) << "nothing to compare with";
  EXPECT_TRUE(judge(repeated({cold(1s)}, kEnough - 1, warm(10s, 20s))).use);
}

TEST(Judge, SkipsACacheThatCosts) {
  const Judgement judgement = judge(repeated({cold(4s)}, kEnough, warm(3s, 2s)));
  EXPECT_FALSE(judgement.use);
  EXPECT_EQ(
      "The cache is skipped, since it costs more than it saves: builds take 5 s with it until they are "
      "compiled, and 4 s without",
      judgement.reason);
}

TEST(Judge, LeavesAMargin) {
  EXPECT_TRUE(judge(repeated({cold(10s)}, kEnough, warm(9s, 2s))).use) << "a tenth";
  EXPECT_FALSE(judge(repeated({cold(10s)}, kEnough, warm(9s, 2010ms))).use);
  EXPECT_TRUE(judge(repeated({cold(100ms)}, kEnough, warm(100ms, 250ms))).use) << "moments";
  EXPECT_FALSE(judge(repeated({cold(100ms)}, kEnough, warm(100ms, 260ms))).use);
}

TEST(Judge, OneSlowBuildIsNoReason) {
  EXPECT_TRUE(judge(repeated({cold(10s)}, kEnough, warm(5s, 1s)) + warm(5s, 60s)).use);
  EXPECT_TRUE(judge(repeated({cold(10s)}, kEnough, warm(5s, 60s)) + warm(5s, 1s)).use);
}

TEST(Judge, FailedBuildsSayNothing) {
  PastBuild failed = warm(0s, 60s);
  failed.succeeded = false;
  EXPECT_TRUE(judge(repeated(repeated({cold(10s)}, kEnough, warm(5s, 1s)), 10, failed)).use);
}

TEST(Judge, TriesASkippedCacheAgainNowAndThen) {
  const History costs = repeated({cold(4s)}, kEnough, warm(3s, 9s));
  EXPECT_FALSE(judge(repeated(costs, kSkipped - 1, skipped(4s))).use);
  const History again = repeated(costs, kSkipped, skipped(4s));
  const Judgement judgement = judge(again);
  EXPECT_TRUE(judgement.use);
  EXPECT_THAT(judgement.reason, HasSubstr("tried again"));
  EXPECT_FALSE(judge(again + warm(3s, 9s)).use) << "no better";
  EXPECT_TRUE(judge(again + warm(1s, 1s)).use) << "worth it now";
  PastBuild miss = cold(4s);
  EXPECT_TRUE(judge(again + miss).use) << "it was purged: nothing was tried yet";
}

}  // namespace
}  // namespace hearth::build
