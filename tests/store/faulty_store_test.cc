#include "support/faulty_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/contract.h"
#include "store/memory_store.h"

namespace hearth::support {
namespace {

using store::bytes_of;
using store::Condition;
using store::key;
using store::text_of;

class FaultyStoreTest : public testing::Test {
 protected:
  Result<store::Version> put(const std::string& name, std::string_view text) {
    return faulty_.put(key(name), bytes_of(text), Condition::none(), {});
  }

  store::MemoryStore inner_;
  FaultyStore faulty_{inner_};
};

TEST_F(FaultyStoreTest, DiesAtTheGivenMutationWhichIsLost) {
  faulty_.die_after(1, LastMutation::lost);
  EXPECT_TRUE(put("a", "1"));
  EXPECT_EQ(put("b", "2").error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(faulty_.dead());
  EXPECT_EQ(faulty_.mutations(), 2U);
  EXPECT_EQ(faulty_.get(key("a"), {}, {}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(inner_.stat(key("b"), {}).error().kind, ErrorKind::not_found);
  faulty_.revive();
  EXPECT_TRUE(faulty_.get(key("a"), {}, {}));
}

TEST_F(FaultyStoreTest, DiesAtTheGivenMutationWhichIsAppliedUnacknowledged) {
  ASSERT_TRUE(put("a", "1"));
  faulty_.die_after(0, LastMutation::unacknowledged);
  EXPECT_EQ(faulty_.remove(key("a"), {}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(put("b", "2").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(inner_.stat(key("a"), {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(inner_.stat(key("b"), {}).error().kind, ErrorKind::not_found);
}

TEST_F(FaultyStoreTest, ShowsDamage) {
  ASSERT_TRUE(put("a", "abcdef"));
  faulty_.corrupt(key("a"), 3);
  EXPECT_EQ(text_of(faulty_.get(key("a"), {}, {})->bytes), "abceef");
  EXPECT_EQ(text_of(faulty_.get(key("a"), {2, 2}, {})->bytes), "ce");
  EXPECT_EQ(text_of(faulty_.get(key("a"), {4, 2}, {})->bytes), "ef");
  faulty_.truncate(key("a"), 4);
  EXPECT_EQ(text_of(faulty_.get(key("a"), {}, {})->bytes), "abce");
  EXPECT_EQ(faulty_.stat(key("a"), {})->size, 4U);
  EXPECT_EQ(faulty_.get(key("a"), {5, 1}, {}).error().kind, ErrorKind::invalid);
  faulty_.hide(key("a"));
  EXPECT_EQ(faulty_.get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
  EXPECT_THAT(store::keys_below(faulty_, ""), testing::IsEmpty());
  faulty_.heal();
  EXPECT_EQ(text_of(faulty_.get(key("a"), {}, {})->bytes), "abcdef");
}

TEST_F(FaultyStoreTest, RefusesOneVerb) {
  ASSERT_TRUE(put("a", "1"));
  faulty_.refuse(Verb::get, ErrorKind::denied);
  EXPECT_EQ(faulty_.get(key("a"), {}, {}).error().kind, ErrorKind::denied);
  EXPECT_TRUE(faulty_.stat(key("a"), {}));
  faulty_.forgive();
  EXPECT_TRUE(faulty_.get(key("a"), {}, {}));
}

TEST_F(FaultyStoreTest, StallsUntilTheTokenFires) {
  faulty_.stall();
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(faulty_.get(key("a"), {}, source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(faulty_.get(key("a"), {}, {}).error().kind, ErrorKind::unavailable);
  faulty_.resume();
  EXPECT_TRUE(put("a", "1"));
}

TEST_F(FaultyStoreTest, LetsAnotherWriterActBeforeEachOperation) {
  const store::Version mine = *put("a", "1");
  faulty_.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put) {
      ASSERT_TRUE(inner_.put(key(operation.key), bytes_of("theirs"), Condition::none(), {}));
    }
  });
  const auto lost = faulty_.put(key("a"), bytes_of("2"), Condition::if_version(mine), {});
  EXPECT_EQ(lost.error().kind, ErrorKind::conflict);
}

}  // namespace
}  // namespace hearth::support
