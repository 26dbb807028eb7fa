#include "store/stall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/memory_store.h"
#include "store/open.h"
#include "support/faulty_store.h"
#include "util/file.h"

namespace hearth::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::chrono::steady_clock::time_point kStart{};

TEST(StallDetector, WaitsForTheLimitSinceTheLastStep) {
  StallDetector detector(seconds(10));
  EXPECT_FALSE(detector.is_stalled(kStart, {1, 1}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(9), {1, 1}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(11), {1, 2}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(20), {3, 2}));
  EXPECT_TRUE(detector.is_stalled(kStart + seconds(21), {3, 2}));
}

TEST(StallDetector, TimeWithoutARequestDoesNotCount) {
  StallDetector detector(seconds(10));
  EXPECT_FALSE(detector.is_stalled(kStart, {1, 1}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(5), {0, 2}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(500), {0, 2}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(501), {1, 3}));
  EXPECT_FALSE(detector.is_stalled(kStart + seconds(510), {1, 3}));
  EXPECT_TRUE(detector.is_stalled(kStart + seconds(511), {1, 3}));
}

TEST(Watched, CountsWhatMoves) {
  auto memory = std::make_shared<MemoryStore>();
  auto faulty = std::make_shared<support::FaultyStore>(*memory);
  auto meter = std::make_shared<Meter>();
  Watched watched(faulty, meter);
  std::vector<Activity> during;
  faulty->before_each([&](const support::Operation&) { during.push_back(watched.activity()); });
  ASSERT_TRUE(watched.put(key("a"), bytes_of("1"), Condition::none(), {}));
  ASSERT_TRUE(watched.get(key("a"), {}, {}));
  ASSERT_EQ(2U, during.size());
  EXPECT_EQ(1U, during[0].in_flight);
  EXPECT_EQ(1U, during[1].in_flight);
  EXPECT_GT(during[1].steps, during[0].steps);
  const Activity after = watched.activity();
  EXPECT_EQ(0U, after.in_flight);
  EXPECT_GT(after.steps, during[1].steps);
  meter->count_moved(7);
  EXPECT_EQ(after.steps + 7, watched.activity().steps);
}

TEST(Watched, EveryListedObjectIsAStep) {
  auto memory = std::make_shared<MemoryStore>();
  for (const char* name : {"a", "b"}) ASSERT_TRUE(memory->put(key(name), bytes_of("1"), Condition::none(), {}));
  Watched watched(memory, nullptr);
  std::vector<std::uint64_t> steps;
  ASSERT_TRUE(watched.list(Prefix(),
                           [&](const ObjectInfo&) -> Result<void> {
                             steps.push_back(watched.activity().steps);
                             return {};
                           },
                           {}));
  ASSERT_EQ(2U, steps.size());
  EXPECT_GT(steps[1], steps[0]);
}

TEST(Watched, AFileStoreTellsOfTheBytesWithinARequest) {
  const util::TempDir temp = std::move(util::TempDir::create(testing::TempDir(), "stall-").value());
  const OpenStore opened = std::move(open(temp.path().native()).value());
  const std::string large(3 << 20, 'x');
  ASSERT_TRUE(opened.store->put(key("a"), bytes_of(large), Condition::none(), {}));
  EXPECT_EQ(large.size(), opened.meter->moved());
  ASSERT_TRUE(opened.store->get(key("a"), {}, {}));
  EXPECT_EQ(2 * large.size(), opened.meter->moved());
}

TEST(StallWatch, EndsARequestThatGetsNowhere) {
  MemoryStore memory;
  auto faulty = std::make_shared<support::FaultyStore>(memory);
  faulty->stall();
  Watched watched(faulty, nullptr);
  const StallWatch watch(watched, milliseconds(10), {});
  EXPECT_EQ(ErrorKind::cancelled, watched.get(key("a"), {}, watch.token()).error().kind);
  EXPECT_TRUE(watch.stalled());
}

TEST(StallWatch, PassesTheParentsStopOn) {
  Watched watched(std::make_shared<MemoryStore>(), nullptr);
  std::stop_source parent;
  const StallWatch watch(watched, hours(1), parent.get_token());
  EXPECT_FALSE(watch.token().stop_requested());
  parent.request_stop();
  EXPECT_TRUE(watch.token().stop_requested());
  EXPECT_FALSE(watch.stalled());
}

}  // namespace
}  // namespace hearth::store
