// How the reading of a save is shared out: in order, bounded, and without anybody waiting in vain.
#include "cache/save/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "cache/tree/parallel.h"

namespace hearth::cache::testing {
namespace {

using ::testing::SizeIs;

constexpr std::uint64_t kLarge = std::uint64_t{512} << 10;

class BatchesOf : public ::testing::Test {
 protected:
  explicit BatchesOf(unsigned rooms = 3)
      : batches_(rooms, [this](std::uint32_t job) {
          return Batches::JobSize{.bytes = sizes_[job], .is_large = sizes_[job] > kLarge};
        }) {}

  void begin(std::vector<std::uint64_t> sizes) {
    sizes_ = std::move(sizes);
    jobs_.resize(sizes_.size());
    std::iota(jobs_.begin(), jobs_.end(), 0U);
    batches_.begin(jobs_);
  }

  std::vector<std::uint64_t> sizes_;
  std::vector<std::uint32_t> jobs_;
  Batches batches_;
};

TEST_F(BatchesOf, SmallFilesAreReadTogetherAndLargeOnesInSegments) {
  begin({100, 200, kSegmentBytes + 5, 300});
  std::optional<Batch> small = batches_.next({});
  ASSERT_TRUE(small);
  EXPECT_THAT(small->parts, SizeIs(2));
  EXPECT_FALSE(small->segment);
  batches_.give_back(std::move(small->memory));
  for (const std::uint64_t length : {kSegmentBytes, std::uint64_t{5}}) {
    std::optional<Batch> segment = batches_.next({});
    ASSERT_TRUE(segment && segment->segment);
    ASSERT_THAT(segment->parts, SizeIs(1));
    EXPECT_EQ(segment->parts.front().length, length);
    EXPECT_TRUE(batches_.begin_cut(*segment));
    batches_.end_cut();
    batches_.give_back(std::move(segment->memory));
  }
  const std::optional<Batch> last = batches_.next({});
  ASSERT_TRUE(last);
  EXPECT_EQ(last->parts.front().job, 3U);
  EXPECT_EQ(last->number, 3U);
  EXPECT_FALSE(batches_.next({}));
}

TEST_F(BatchesOf, ASegmentThatComesTooEarlyComesBackInItsTurn) {
  begin({3 * kSegmentBytes});
  std::optional<Batch> first = batches_.next({});
  std::optional<Batch> second = batches_.next({});
  std::optional<Batch> third = batches_.next({});
  ASSERT_TRUE(first && second && third);
  second->read.emplace_back();
  third->read.emplace_back();
  EXPECT_FALSE(batches_.begin_cut(*third));
  EXPECT_FALSE(batches_.begin_cut(*second));
  EXPECT_TRUE(batches_.begin_cut(*first));
  batches_.end_cut();
  for (const std::uint64_t number : {1U, 2U}) {
    std::optional<Batch> back = batches_.next({});
    ASSERT_TRUE(back);
    EXPECT_EQ(back->number, number);
    EXPECT_THAT(back->read, SizeIs(1));
    EXPECT_TRUE(batches_.begin_cut(*back));
    batches_.end_cut();
  }
  EXPECT_FALSE(batches_.next({}));
}

TEST_F(BatchesOf, AFileOfWhichNothingMoreIsWantedIsLeft) {
  begin({5 * kSegmentBytes, 10});
  std::optional<Batch> segment = batches_.next({});
  ASSERT_TRUE(segment && batches_.begin_cut(*segment));
  batches_.drop_rest(0);
  batches_.drop_rest(0);
  batches_.end_cut();
  const std::optional<Batch> next = batches_.next({});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->parts.front().job, 1U);
  EXPECT_FALSE(batches_.next({}));
}

TEST_F(BatchesOf, WhoeverWaitsForARoomIsStopped) {
  begin({kLarge + 1, kLarge + 1, kLarge + 1, kLarge + 1});
  std::vector<std::optional<Batch>> held;
  for (int room = 0; room < 3; ++room) held.push_back(batches_.next({}));
  std::stop_source stop;
  std::jthread later([&stop] { stop.request_stop(); });
  EXPECT_FALSE(batches_.next(stop.get_token()));
}

// Any sizes, as many threads as like, any of which may be slow; the taking in is that of a save.
TEST_F(BatchesOf, EveryByteIsHandedOutOnceAndCutInOrder) {
  std::minstd_rand random(7);
  std::vector<std::uint64_t> sizes;
  for (int file = 0; file < 3'000; ++file) sizes.push_back(1 + random() % (file % 10 == 0 ? 5'000'000 : 50'000));
  begin(sizes);
  std::mutex mutex;
  std::set<std::uint64_t> numbers;
  std::set<std::byte*> rooms;
  std::vector<std::uint64_t> handed_out(sizes.size());
  std::uint64_t cut = 0;
  std::map<std::uint64_t, Batch> waiting;
  std::uint64_t taken_in = 0;
  const auto work = [&](const std::stop_token& stop) -> Result<void> {
    while (std::optional<Batch> batch = batches_.next(stop)) {
      if (batch->read.empty()) {
        batch->read.emplace_back();
        if (batch->number % 7 == 0) std::this_thread::yield();
        const std::lock_guard guard(mutex);
        EXPECT_TRUE(numbers.insert(batch->number).second);
        rooms.insert(batch->memory.get());
        for (const Part& part : batch->parts) {
          // A file that was begun is handed out on from there.
          handed_out[part.job] += part.length;
        }
      }
      if (batch->segment) {
        if (!batches_.begin_cut(*batch)) continue;
        EXPECT_EQ(cut++, *batch->segment);
        batches_.end_cut();
      }
      const std::lock_guard guard(mutex);
      const std::uint64_t number = batch->number;
      waiting.emplace(number, std::move(*batch));
      while (auto next = waiting.extract(taken_in)) {
        batches_.give_back(std::move(next.mapped().memory));
        ++taken_in;
      }
    }
    return {};
  };
  ASSERT_TRUE(in_parallel(8, {}, work));
  EXPECT_EQ(handed_out, sizes);
  EXPECT_EQ(taken_in, numbers.size());
  EXPECT_EQ(*numbers.rbegin() + 1, numbers.size());
  EXPECT_LE(rooms.size(), 3U);
}

}  // namespace
}  // namespace hearth::cache::testing
