#include "build/transfer.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "cache/cache.h"
#include "fake_surroundings.h"
#include "support/faulty_store.h"
#include "support/thread_calls.h"

namespace hearth::build {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class TransferTest : public testing::Test {
 protected:
  static store::Key key() { return store::Key::parse("a").value(); }

  std::shared_ptr<store::ObjectStore> store() { return std::make_shared<Borrowed>(faulty_); }

  store::MemoryStore memory_;
  support::FaultyStore faulty_{memory_};
};

TEST_F(TransferTest, HandsTheReportOn) {
  ReportingTransfer<cache::SaveReport> transfer(store(), nullptr, {hours(1), hours(1)},
                                                [](store::ObjectStore&, const std::stop_token&) {
                                                  cache::SaveReport report;
                                                  report.outcome = cache::SaveOutcome::saved;
                                                  report.generation = "g";
                                                  return report;
                                                },
                                                {});
  const cache::SaveReport report = transfer.wait();
  EXPECT_EQ(cache::SaveOutcome::saved, report.outcome);
  EXPECT_EQ("g", report.generation);
}

TEST_F(TransferTest, EndsWithItsDeadline) {
  faulty_.stall();
  Transfer transfer(store(), nullptr, {milliseconds(10), hours(1)},
                    [](store::ObjectStore& store, const std::stop_token& stop) {
                      EXPECT_EQ(ErrorKind::cancelled, store.get(key(), {}, stop).error().kind);
                    },
                    {});
  EXPECT_TRUE(transfer.wait());
  EXPECT_EQ("took too long", transfer.lateness());
}

TEST_F(TransferTest, EndsWithoutProgress) {
  faulty_.stall();
  Transfer transfer(store(), nullptr, {hours(1), milliseconds(10)},
                    [](store::ObjectStore& store, const std::stop_token& stop) {
                      EXPECT_EQ(ErrorKind::cancelled, store.get(key(), {}, stop).error().kind);
                    },
                    {});
  EXPECT_TRUE(transfer.wait());
  EXPECT_EQ("made no progress for 10 ms", transfer.lateness());
}

TEST_F(TransferTest, WorkWithoutARequestIsNoStall) {
  Transfer transfer(store(), nullptr, {hours(1), milliseconds(1)},
                    [](store::ObjectStore&, const std::stop_token& stop) {
                      std::this_thread::sleep_for(milliseconds(50));
                      EXPECT_FALSE(stop.stop_requested());
                    },
                    {});
  EXPECT_TRUE(transfer.wait());
}

TEST_F(TransferTest, EndsWithTheCallersStop) {
  std::stop_source stop;
  std::latch begun(1);
  Transfer transfer(
      store(), nullptr, {hours(1), hours(1)},
      [&](store::ObjectStore&, const std::stop_token& token) {
        begun.count_down();
        while (!token.stop_requested()) std::this_thread::yield();
      },
      stop.get_token());
  begun.wait();
  stop.request_stop();
  EXPECT_TRUE(transfer.wait());
}

TEST_F(TransferTest, TheDestructorEndsIt) {
  auto ended = std::make_shared<bool>(false);
  Transfer(store(), nullptr, {hours(1), hours(1)},
           [ended](store::ObjectStore&, const std::stop_token& stop) {
             while (!stop.stop_requested()) std::this_thread::yield();
             *ended = true;
           },
           {});
  EXPECT_TRUE(*ended);
}

// The watches over it are threads, too.
TEST_F(TransferTest, WithoutAThreadItIsLateAtOnce) {
  for (int threads = 0; threads < 3; ++threads) {
    const support::FewThreads few(threads);
    ReportingTransfer<cache::RestoreReport> transfer(store(), nullptr, {hours(1), hours(1)},
                                                     [](store::ObjectStore&, const std::stop_token&) {
                                                       ADD_FAILURE() << "nobody watches over it";
                                                       return cache::RestoreReport();
                                                     },
                                                     {});
    EXPECT_EQ(cache::RestoreOutcome::late, transfer.wait().outcome);
    EXPECT_EQ("found no thread to work in", transfer.transfer().lateness());
    EXPECT_EQ(milliseconds(0), transfer.transfer().taken());
  }
}

TEST_F(TransferTest, OneThatHangsIsLeftToItself) {
  faulty_.hang();
  auto held = std::make_shared<int>(0);
  {
    Transfer transfer(
        store(), nullptr, {hours(1), milliseconds(10)},
        [held](store::ObjectStore& store, const std::stop_token& stop) { std::ignore = store.get(key(), {}, stop); },
        {});
    EXPECT_FALSE(transfer.wait());
    EXPECT_EQ("made no progress for 10 ms", transfer.lateness());
  }
  EXPECT_EQ(2, held.use_count()) << "what it works with is still its own";
  faulty_.resume();
  while (held.use_count() > 1) std::this_thread::yield();
}

}  // namespace
}  // namespace hearth::build
