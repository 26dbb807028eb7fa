#include "store/object_store.h"

#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/memory_store.h"
#include "store/metered.h"

namespace hearth::store {
namespace {

TEST(Key, TakesWhatTheContractAllows) {
  for (const char* text :
       {"a", "apps/demo/cache/HEAD.heroku-24-x86_64", "...", "a%2Fb", "..a/b..", "home/a:git-1/tar"}) {
    EXPECT_TRUE(Key::parse(text)) << text;
  }
  EXPECT_TRUE(Key::parse(std::string(1024, 'k')));
}

TEST(Key, RefusesEverythingElse) {
  for (const std::string& text :
       {std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string("a/./b"), std::string("a/.."), std::string("../a"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("a\x7f"), std::string(1025, 'k')}) {
    const auto parsed = Key::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind, ErrorKind::invalid);
    EXPECT_EQ(parsed.error().message.find_first_of(std::string_view("\n\0", 2)), std::string::npos);
  }
}

TEST(Prefix, IsEmptyOrEndsInASlash) {
  EXPECT_EQ(Prefix::parse("")->text(), "");
  EXPECT_EQ(Prefix::parse("a/b/")->text(), "a/b/");
  for (const char* text : {"a", "/", "a//", "../", "a/../"}) EXPECT_FALSE(Prefix::parse(text)) << text;
}

TEST(Clip, CutsAtTheEnd) {
  EXPECT_EQ(clip({2, UINT64_MAX}, 5)->length, 3U);
  EXPECT_EQ(clip({5, 1}, 5)->length, 0U);
  EXPECT_FALSE(clip({6, 0}, 5));
  EXPECT_FALSE(clip({UINT64_MAX, UINT64_MAX}, 5));
}

TEST(MemoryStore, HasAClockOfItsOwn) {
  MemoryStore store;
  store.set_time(StoreTime(std::chrono::seconds(1000)));
  ASSERT_TRUE(store.put(key("a"), bytes_of("1"), Condition::none(), {}));
  store.advance(std::chrono::seconds(50));
  const auto info = store.stat(key("a"), {});
  EXPECT_EQ(info->modified.time_since_epoch().count(), 1000);
  EXPECT_EQ(info->now.time_since_epoch().count(), 1050);
}

TEST(MemoryStore, WithoutCompareAndSwapTheLastWriterWins) {
  MemoryStore store(CompareAndSwap::absent);
  ASSERT_TRUE(store.put(key("a"), bytes_of("1"), Condition::none(), {}));
  EXPECT_TRUE(store.put(key("a"), bytes_of("2"), Condition::if_absent(), {}));
  EXPECT_TRUE(store.put(key("a"), bytes_of("3"), Condition::if_version({"other"}), {}));
  EXPECT_EQ(text_of(store.get(key("a"), {}, {})->bytes), "3");
}

TEST(Metered, CountsRequestsAndBytes) {
  const auto meter = std::make_shared<Meter>();
  Metered store(std::make_unique<MemoryStore>(), meter);
  ASSERT_TRUE(store.put(key("a"), bytes_of("12345"), Condition::none(), {}));
  EXPECT_FALSE(store.put(key("a"), bytes_of("12345"), Condition::if_absent(), {}));
  ASSERT_TRUE(store.get(key("a"), {1, 2}, {}));
  EXPECT_FALSE(store.get(key("b"), {}, {}));
  ASSERT_TRUE(store.stat(key("a"), {}));
  keys_below(store, "");
  ASSERT_TRUE(store.remove(key("a"), {}));
  meter->count_retry();
  const MeterReading reading = meter->read();
  EXPECT_EQ(reading.requests.put, 2U);
  EXPECT_EQ(reading.requests.get, 2U);
  EXPECT_EQ(reading.requests.stat, 1U);
  EXPECT_EQ(reading.requests.list, 1U);
  EXPECT_EQ(reading.requests.remove, 1U);
  EXPECT_EQ(reading.bytes_out, 5U);
  EXPECT_EQ(reading.bytes_in, 2U);
  EXPECT_EQ(reading.retries, 1U);
  EXPECT_FALSE(reading.tier);
}

}  // namespace
}  // namespace hearth::store
