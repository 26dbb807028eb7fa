#include "store/check.h"

#include <gmock/gmock.h>

#include "store/forwarding.h"
#include "store/local_factory.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::store {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

CheckOptions small() {
  return {.listed = 40, .racers = 4, .rounds = 2, .transfers = 2, .transfer_bytes = 100'000, .pings = 3};
}

std::size_t objects_in(ObjectStore& store) {
  std::size_t count = 0;
  EXPECT_TRUE(store.list({}, [&](const ObjectInfo&) -> Result<void> { return ++count, Result<void>(); }, {}));
  return count;
}

const Finding& find(const CheckReport& report, std::string_view subject) {
  for (const Finding& finding : report.findings) {
    if (finding.subject == subject) return finding;
  }
  ADD_FAILURE() << "nothing about " << subject;
  return report.findings.front();
}

TEST(StoreCheck, AGoodStoreIsUsableAndLeftAsItWas) {
  MemoryStore store;
  const CheckReport report = check(store, small(), {});
  EXPECT_TRUE(report.usable);
  EXPECT_EQ(report.compare_and_swap, CompareAndSwap::honoured);
  for (const Finding& finding : report.findings) {
    EXPECT_EQ(finding.verdict, finding.subject == "checksums" ? Verdict::skipped : Verdict::yes) << finding.subject;
  }
  EXPECT_GT(report.latency.count(), 0);
  EXPECT_GT(report.write_rate, 0);
  EXPECT_GT(report.read_rate, 0);
  EXPECT_EQ(report.left_behind, 0U);
  EXPECT_EQ(objects_in(store), 0U);
}

TEST(StoreCheck, AStoreOfFilesToo) {
  const auto directory = temporary_directory();
  const auto store = open_local(directory->path());
  const CheckReport report = check(*store, small(), {});
  EXPECT_TRUE(report.usable);
  EXPECT_EQ(report.compare_and_swap, CompareAndSwap::honoured);
  EXPECT_EQ(objects_in(*store), 0U);
}

TEST(StoreCheck, WithoutCompareAndSwapItIsUsable) {
  MemoryStore store(CompareAndSwap::absent);
  const CheckReport report = check(store, small(), {});
  EXPECT_TRUE(report.usable);
  EXPECT_EQ(report.compare_and_swap, CompareAndSwap::absent);
  EXPECT_EQ(find(report, "compare-and-swap").verdict, Verdict::no);
  EXPECT_NE(find(report, "compare-and-swap").detail, "");
}

// Does one thing wrong, as real servers do.
class Strange : public Forwarding {
 public:
  enum class Habit {
    lies_about_content,
    forgets_in_lists,
    ignores_conditions,
    never_deletes,
    ignores_ranges,
    refuses_damage,
    takes_damage,
    forbids_damage
  };
  explicit Strange(Habit habit) : Forwarding(std::make_shared<MemoryStore>()), habit_(habit) {}

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override {
    if (habit_ == Habit::ignores_ranges) range = {};
    Result<Object> object = Forwarding::get(key, range, std::move(stop));
    if (object && habit_ == Habit::lies_about_content) object->bytes.front() ^= std::byte{1};
    return object;
  }
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override {
    const bool ignored = habit_ == Habit::ignores_conditions;
    return Forwarding::put(key, body, ignored ? Condition::none() : condition, std::move(stop));
  }
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override {
    std::size_t count = 0;
    const auto some = [&](const ObjectInfo& info) -> Result<void> {
      return habit_ == Habit::forgets_in_lists && ++count > 30 ? Result<void>() : visit(info);
    };
    return Forwarding::list(prefix, some, std::move(stop));
  }
  Result<void> remove(const Key& key, std::stop_token stop) override {
    return habit_ == Habit::never_deletes ? Result<void>() : Forwarding::remove(key, std::move(stop));
  }
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override {
    if (habit_ == Habit::never_deletes) return fail(ErrorKind::denied, "no");
    return Forwarding::remove_each(keys, std::move(stop));
  }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override {
    if (habit_ == Habit::refuses_damage) return Checksums::honoured;
    if (habit_ == Habit::forbids_damage) return fail(ErrorKind::denied, "not by you");
    if (habit_ != Habit::takes_damage) return Forwarding::try_checksums(key, std::move(stop));
    TRY(put(key, std::span<const std::byte>(), Condition::none(), std::move(stop)));
    return Checksums::ignored;
  }

 private:
  const Habit habit_;
};

TEST(StoreCheck, FindsOutWhatIsStrange) {
  const std::vector<std::pair<Strange::Habit, std::string>> habits = {
      {Strange::Habit::lies_about_content, "write, read back"},
      {Strange::Habit::ignores_ranges, "ranges"},
      {Strange::Habit::never_deletes, "replace"},
      {Strange::Habit::forgets_in_lists, "list past one page"}};
  for (const auto& [habit, subject] : habits) {
    Strange store(habit);
    const CheckReport report = check(store, small(), {});
    EXPECT_FALSE(report.usable) << subject;
    EXPECT_EQ(find(report, subject).verdict, Verdict::failed) << subject;
    EXPECT_NE(find(report, subject).detail, "");
    EXPECT_EQ(find(report, "throughput").verdict, Verdict::skipped);
  }
}

TEST(StoreCheck, IgnoredConditionsAreNoCompareAndSwap) {
  Strange store(Strange::Habit::ignores_conditions);
  const CheckReport report = check(store, small(), {});
  EXPECT_TRUE(report.usable);
  EXPECT_EQ(report.compare_and_swap, CompareAndSwap::absent);
  EXPECT_THAT(find(report, "compare-and-swap").detail, HasSubstr("overwritten"));
}

TEST(StoreCheck, ADamagedUploadIsRefusedOrStoredOrNeither) {
  struct Case {
    Strange::Habit habit;
    Checksums checksums;
    Verdict verdict;
    std::string detail;
  };
  const std::vector<Case> cases = {
      {Strange::Habit::refuses_damage, Checksums::honoured, Verdict::yes, "refused"},
      {Strange::Habit::takes_damage, Checksums::ignored, Verdict::no, "stored all the same"},
      {Strange::Habit::forbids_damage, Checksums::absent, Verdict::skipped, "not by you"},
      {Strange::Habit::ignores_conditions, Checksums::absent, Verdict::skipped, "nothing travels"}};
  for (const Case& one : cases) {
    Strange store(one.habit);
    const CheckReport report = check(store, small(), {});
    EXPECT_TRUE(report.usable) << one.detail;
    EXPECT_EQ(report.checksums, one.checksums) << one.detail;
    EXPECT_EQ(find(report, "checksums").verdict, one.verdict) << one.detail;
    EXPECT_THAT(find(report, "checksums").detail, HasSubstr(one.detail));
    EXPECT_EQ(report.left_behind, 0U);
    EXPECT_EQ(objects_in(store), 0U);
  }
}

TEST(StoreCheck, SaysWhatItLeavesBehind) {
  Strange store(Strange::Habit::never_deletes);
  EXPECT_GT(check(store, small(), {}).left_behind, 0U);
}

TEST(StoreCheck, ADeadStoreIsNotUsable) {
  MemoryStore inner;
  support::FaultyStore store(inner);
  store.die_after(0, support::LastMutation::lost);
  const CheckReport report = check(store, small(), {});
  EXPECT_FALSE(report.usable);
  EXPECT_THAT(report.findings, Contains(Field(&Finding::verdict, Verdict::failed)));
}

// What was written before is deleted all the same.
TEST(StoreCheck, AStopLeavesNothingBehind) {
  MemoryStore inner;
  support::FaultyStore store(inner);
  std::stop_source stop;
  store.before_each([&](const support::Operation& operation) {
    if (operation.verb == support::Verb::put && store.mutations() > 20) stop.request_stop();
  });
  const CheckReport report = check(store, small(), stop.get_token());
  EXPECT_FALSE(report.usable && stop.stop_requested() && report.findings.back().verdict == Verdict::yes);
  EXPECT_EQ(report.left_behind, 0U);
  EXPECT_EQ(objects_in(inner), 0U);
}

}  // namespace
}  // namespace hearth::store
