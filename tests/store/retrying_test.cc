#include "store/retrying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::store {
namespace {

using std::chrono::milliseconds;
using support::FaultyStore;
using support::LastMutation;
using support::Verb;
using testing::ElementsAre;
using testing::IsEmpty;

// Time passes only by waiting; chance is always the greatest.
class RetryingTest : public testing::Test {
 protected:
  Retrying retrying(const RetryPolicy& policy = {}) {
    auto faulty = std::make_unique<FaultyStore>(memory_);
    faulty_ = faulty.get();
    RetryClock clock;
    clock.now = [this] { return now_; };
    clock.wait = [this](std::chrono::nanoseconds time, const std::stop_token& stop) -> Result<void> {
      if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
      waits_.push_back(std::chrono::round<milliseconds>(time).count());
      now_ += time;
      if (while_waiting_) while_waiting_();
      return {};
    };
    clock.chance = [] { return 1.0; };
    return {std::move(faulty), policy, [this] { ++retries_; }, clock};
  }

  MemoryStore memory_;
  FaultyStore* faulty_ = nullptr;
  std::chrono::steady_clock::time_point now_;
  std::vector<long> waits_;
  int retries_ = 0;
  std::function<void()> while_waiting_;
};

TEST_F(RetryingTest, TriesAgainWithGrowingBounds) {
  Retrying store = retrying({5, milliseconds(100), milliseconds(300), milliseconds(10'000)});
  faulty_->refuse(Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::unavailable);
  EXPECT_THAT(waits_, ElementsAre(100, 200, 300, 300));
  EXPECT_EQ(retries_, 4);
}

TEST_F(RetryingTest, WaitsForTheShareOfTheBoundThatChanceGives) {
  double share = 0.25;
  RetryClock clock;
  clock.now = [this] { return now_; };
  clock.wait = [this](std::chrono::nanoseconds time, const std::stop_token&) -> Result<void> {
    waits_.push_back(std::chrono::round<milliseconds>(time).count());
    return {};
  };
  clock.chance = [&] { return share += 0.25; };
  auto faulty = std::make_unique<FaultyStore>(memory_);
  faulty->refuse(Verb::stat, ErrorKind::unavailable);
  Retrying store(std::move(faulty), {3, milliseconds(100), milliseconds(1000), milliseconds(10'000)}, nullptr, clock);
  EXPECT_FALSE(store.stat(key("a"), {}));
  EXPECT_THAT(waits_, ElementsAre(50, 150));
}

// A transfer that took longer than the whole budget before it broke is tried again all the same.
TEST(Patience, BeginsWithTheFirstFailure) {
  std::chrono::steady_clock::time_point now;
  const RetryPolicy policy;
  const RetryClock clock{.now = [&] { return now; },
                         .wait = [&](std::chrono::nanoseconds time, const std::stop_token&) -> Result<void> {
                           now += time;
                           return {};
                         },
                         .chance = [] { return 0.5; }};
  Patience patience(policy, clock);
  now += 2 * policy.total;
  const Error broken{ErrorKind::unavailable, "the connection broke"};
  EXPECT_TRUE(patience.try_again(broken, {}).value());
  now += 2 * policy.total;
  EXPECT_FALSE(patience.try_again(broken, {}).value());
}

// Fails in one way, and counts.
class Failing : public MemoryStore {
 public:
  explicit Failing(Retry retry) : retry_(retry) {}
  Result<ObjectInfo> stat(const Key&, std::stop_token) override {
    ++asked;
    return std::unexpected(Error{ErrorKind::unavailable, "broken", {}, retry_});
  }
  int asked = 0;

 private:
  const Retry retry_;
};

TEST_F(RetryingTest, WhatWasRepeatedInVainIsNotRepeatedOutside) {
  const RetryClock clock{.now = [this] { return now_; },
                         .wait = [](std::chrono::nanoseconds, const std::stop_token&) -> Result<void> { return {}; },
                         .chance = [] { return 0.5; }};
  for (const auto& [retry, attempts] :
       {std::pair(Retry::step, 5), std::pair(Retry::whole, 5), std::pair(Retry::none, 1)}) {
    auto failing = std::make_unique<Failing>(retry);
    const Failing& counts = *failing;
    Retrying inner(std::move(failing), {}, nullptr, clock);
    const auto failed = inner.stat(key("a"), {});
    EXPECT_EQ(counts.asked, attempts);
    EXPECT_EQ(failed.error().retry, Retry::none);
  }
  // A step is not repeated where only the whole can help, and leaves that to whoever repeats the whole.
  const RetryPolicy policy;
  Patience step(policy, clock, Repeated::step);
  const Error lost{ErrorKind::unavailable, "the upload is gone", {}, Retry::whole};
  EXPECT_FALSE(step.try_again(lost, {}).value());
  EXPECT_EQ(step.final(lost).retry, Retry::whole);
  const Error broken{ErrorKind::unavailable, "broken"};
  EXPECT_TRUE(step.try_again(broken, {}).value());
  EXPECT_EQ(step.final(broken).retry, Retry::none);
  EXPECT_EQ(step.final({ErrorKind::denied, "no"}).retry, Retry::step);
}

TEST_F(RetryingTest, EndsWithTheTotalBudget) {
  Retrying store = retrying({100, milliseconds(100), milliseconds(1000), milliseconds(1000)});
  faulty_->refuse(Verb::stat, ErrorKind::unavailable);
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::unavailable);
  EXPECT_THAT(waits_, ElementsAre(100, 200, 400));
}

// Asks each time for five seconds.
class Busy : public MemoryStore {
 public:
  Result<ObjectInfo> stat(const Key&, std::stop_token) override {
    return std::unexpected(Error{ErrorKind::unavailable, "slow down", milliseconds(5'000)});
  }
};

TEST_F(RetryingTest, WaitsAsLongAsTheStoreAsksAndNoLongerThanTheBudget) {
  const RetryClock clock = {.now = [this] { return now_; },
                            .wait = [this](std::chrono::nanoseconds time, const std::stop_token&) -> Result<void> {
                              waits_.push_back(std::chrono::round<milliseconds>(time).count());
                              now_ += time;
                              return {};
                            },
                            .chance = [] { return 0.5; }};
  Retrying store(std::make_unique<Busy>(), {5, milliseconds(200), milliseconds(400), milliseconds(12'000)}, nullptr,
                 clock);
  EXPECT_FALSE(store.stat(key("a"), {}));
  EXPECT_THAT(waits_, ElementsAre(5'100, 5'200));
}

TEST_F(RetryingTest, SucceedsOnceTheStoreAnswers) {
  Retrying store = retrying();
  ASSERT_TRUE(memory_.put(key("a"), bytes_of("1"), Condition::none(), {}));
  faulty_->refuse(Verb::get, ErrorKind::unavailable);
  while_waiting_ = [&] { faulty_->forgive(); };
  const auto object = store.get(key("a"), {}, {});
  ASSERT_TRUE(object);
  EXPECT_EQ(text_of(object->bytes), "1");
  EXPECT_EQ(retries_, 1);
}

TEST_F(RetryingTest, OnlyUnavailableIsTriedAgain) {
  Retrying store = retrying();
  for (const ErrorKind kind : {ErrorKind::not_found, ErrorKind::conflict, ErrorKind::denied, ErrorKind::corrupt,
                               ErrorKind::invalid, ErrorKind::cancelled, ErrorKind::io}) {
    faulty_->refuse(Verb::remove, kind);
    EXPECT_EQ(store.remove(key("a"), {}).error().kind, kind);
  }
  EXPECT_THAT(waits_, IsEmpty());
}

TEST_F(RetryingTest, AStopEndsTheWaiting) {
  Retrying store = retrying();
  std::stop_source source;
  faulty_->refuse(Verb::get, ErrorKind::unavailable);
  while_waiting_ = [&] { source.request_stop(); };
  EXPECT_EQ(store.get(key("a"), {}, source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(waits_.size(), 1U);
}

TEST_F(RetryingTest, ItsOwnLostSuccessIsNoConflict) {
  Retrying store = retrying();
  faulty_->die_after(0, LastMutation::unacknowledged);
  while_waiting_ = [&] { faulty_->revive(); };
  const auto created = store.put(key("a"), bytes_of("mine"), Condition::if_absent(), {});
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(*created, memory_.stat(key("a"), {})->version);
  faulty_->die_after(0, LastMutation::unacknowledged);
  const auto replaced = store.put(key("a"), bytes_of("mine, later"), Condition::if_version(*created), {});
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_EQ(*replaced, memory_.stat(key("a"), {})->version);
  EXPECT_EQ(memory_.stat(key("a"), {})->size, 11U);
}

TEST_F(RetryingTest, SomebodyElsesSuccessIsAConflict) {
  for (const std::string_view theirs : {"them", "longer than mine", ""}) {
    Retrying store = retrying();
    faulty_->die_after(0, LastMutation::lost);
    while_waiting_ = [&] {
      faulty_->revive();
      ASSERT_TRUE(memory_.put(key("a"), bytes_of(theirs), Condition::none(), {}));
    };
    ASSERT_TRUE(memory_.remove(key("a"), {}));
    const auto created = store.put(key("a"), bytes_of("mine"), Condition::if_absent(), {});
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().kind, ErrorKind::conflict);
  }
}

TEST_F(RetryingTest, AConflictWithoutAnUnclearAnswerIsOne) {
  Retrying store = retrying();
  ASSERT_TRUE(memory_.put(key("a"), bytes_of("mine"), Condition::none(), {}));
  const auto created = store.put(key("a"), bytes_of("mine"), Condition::if_absent(), {});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().kind, ErrorKind::conflict);
}

// Breaks off in the middle of the first listing.
class BrokenList : public MemoryStore {
 public:
  Result<void> list(const Prefix& listed, const Visitor& visit, std::stop_token stop) override {
    int shown = 0;
    const bool breaks = !broke_;
    return MemoryStore::list(
        listed,
        [&](const ObjectInfo& info) -> Result<void> {
          if (breaks && ++shown == 3) {
            broke_ = true;
            return fail(ErrorKind::unavailable, "the connection broke");
          }
          return visit(info);
        },
        std::move(stop));
  }

 private:
  bool broke_ = false;
};

TEST(RetryingList, VisitsNothingTwice) {
  auto inner = std::make_unique<BrokenList>();
  for (const char* name : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(inner->put(key(name), bytes_of("1"), Condition::none(), {}));
  }
  RetryClock clock = RetryClock::real();
  clock.chance = [] { return 0.0; };
  Retrying store(std::move(inner), {}, nullptr, clock);
  EXPECT_THAT(keys_below(store, ""), ElementsAre("a", "b", "c", "d"));
}

}  // namespace
}  // namespace hearth::store
