#include "cache/packs/pack_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cache/engine_support.h"
#include "cache/format/content_digest.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::size_t kThreads = 16;
constexpr std::size_t kTravelling = 3;

// Threads that have one block after the other for a store.
class Writers {
 public:
  explicit Writers(store::ObjectStore& store) : writer_(store, layout_, new_id(), new_id(), 0, kTravelling) {
    for (std::size_t i = 0; i < kThreads; ++i) {
      crew_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  void end() {
    for (std::jthread& member : crew_) member.request_stop();
    crew_.clear();
  }
  std::size_t taken() const { return taken_; }
  std::size_t failures() const { return failures_; }
  PackWriter& writer() { return writer_; }

 private:
  void work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!writer_.add(next_++, block_, {}, stop)) {
        ++failures_;
        return;
      }
      ++taken_;
    }
  }

  const std::string raw_ = noise(kBlockBytes, 1);
  const EncodedBlock block_ = *encode_block(std::as_bytes(std::span(raw_)), kDefaultCompressionLevel);
  const Layout layout_ = Layout::of(kName).value();
  PackWriter writer_;
  std::atomic<std::uint32_t> next_ = 0;
  std::atomic<std::size_t> taken_ = 0;
  std::atomic<std::size_t> failures_ = 0;
  std::vector<std::jthread> crew_;
};

// The number, once it has stood still for a while.
std::size_t settled(const Writers& writers) {
  std::size_t before = 0;
  while (true) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const std::size_t now = writers.taken();
    if (now == before && now > 0) return now;
    before = now;
  }
}

TEST(PackWriter, WhoeverIsFasterThanTheStoreWaits) {
  store::MemoryStore memory;
  support::FaultyStore store(memory);
  store.stall();
  Writers writers(store);
  // Of each pack that travels, the block that had no place in it belongs to the next one.
  const std::size_t packs_in_memory = kTravelling + 1;
  EXPECT_LE(settled(writers), packs_in_memory * (pack_target(0) / kBlockBytes));
  EXPECT_EQ(writers.failures(), 0U);
  store.resume();
  while (writers.taken() < 100) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(writers.failures(), 0U);
  writers.end();
}

TEST(PackWriter, AStopEndsTheWaiting) {
  store::MemoryStore memory;
  support::FaultyStore store(memory);
  store.stall();
  Writers writers(store);
  settled(writers);
  writers.end();
  EXPECT_GT(writers.failures(), 0U);
}

// What failed does not count as travelling.
TEST(PackWriter, AfterErrorsOthersGoOn) {
  store::MemoryStore memory;
  support::FaultyStore store(memory);
  store.refuse(support::Verb::put, ErrorKind::denied);
  const Layout layout = Layout::of(kName).value();
  PackWriter writer(store, layout, new_id(), new_id(), 0, kTravelling);
  const std::string raw = noise(4 * kBlockBytes, 1);
  const EncodedBlock block = *encode_block(std::as_bytes(std::span(raw)), kDefaultCompressionLevel);
  std::size_t errors = 0;
  for (std::uint32_t id = 0; errors < 8; ++id) {
    const Result<void> added = writer.add(id, block, {}, {});
    if (added) continue;
    EXPECT_EQ(added.error().kind, ErrorKind::denied);
    ++errors;
  }
  store.forgive();
  ASSERT_TRUE(writer.add(1'000, block, {}, {}));
  EXPECT_TRUE(writer.finish(MayInline::no, {}));
  EXPECT_GT(writer.uploaded_objects(), 0U);
}

}  // namespace
}  // namespace hearth::cache::testing
