#include "store/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace hearth::store {
namespace {

TEST(Parts, CoverTheWholeOnceWithSeveralAtATime) {
  std::mutex mutex;
  std::map<std::size_t, ByteRange> seen;
  std::set<std::thread::id> threads;
  const SendPart note = [&](std::size_t index, ByteRange part, const std::stop_token&) -> Result<void> {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(seen.emplace(index, part).second);
    threads.insert(std::this_thread::get_id());
    return {};
  };
  ASSERT_TRUE(send_parts(1'005, 10, 4, note, {}));
  ASSERT_EQ(seen.size(), 101U);
  std::uint64_t offset = 0;
  for (const auto& [index, part] : seen) {
    EXPECT_EQ(part.offset, offset);
    EXPECT_EQ(part.length, index == 100 ? 5U : 10U);
    offset += part.length;
  }
  EXPECT_GT(threads.size(), 1U);
  EXPECT_LE(threads.size(), 4U);
}

TEST(Parts, APartIsTriedAgainByItself) {
  std::atomic<int> calls = 0;
  const SendPart once_busy = [&](std::size_t index, ByteRange, const std::stop_token&) -> Result<void> {
    if (++calls == 1 && index < 3) return fail(ErrorKind::unavailable, "busy");
    return {};
  };
  ASSERT_TRUE(send_parts(3, 1, 1, once_busy, {}));
  EXPECT_EQ(calls, 4);
}

TEST(Parts, OneThatIsNoUseAloneIsNotTriedAgain) {
  std::atomic<int> calls = 0;
  const SendPart gone = [&](std::size_t, ByteRange, const std::stop_token&) -> Result<void> {
    ++calls;
    return std::unexpected(Error{ErrorKind::unavailable, "the upload is gone", {}, Retry::whole});
  };
  EXPECT_EQ(send_parts(1, 1, 1, gone, {}).error().retry, Retry::whole);
  EXPECT_EQ(calls, 1);
}

TEST(Parts, TheFirstFailureStopsTheOthers) {
  std::atomic<int> calls = 0;
  const SendPart refuse = [&](std::size_t index, ByteRange, const std::stop_token& stop) -> Result<void> {
    ++calls;
    if (index == 1) return fail(ErrorKind::denied, "no");
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return fail(ErrorKind::cancelled, "stopped");
  };
  EXPECT_EQ(send_parts(100, 1, 3, refuse, {}).error().kind, ErrorKind::denied);
  EXPECT_LE(calls, 3);
}

TEST(Parts, ATokenThatFiredSendsNothing) {
  std::stop_source source;
  source.request_stop();
  const SendPart never = [](std::size_t, ByteRange, const std::stop_token&) -> Result<void> {
    ADD_FAILURE() << "a part was sent";
    return {};
  };
  EXPECT_EQ(send_parts(3, 1, 2, never, source.get_token()).error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace hearth::store
