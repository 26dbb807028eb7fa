#include "build/last_restore.h"

#include <gtest/gtest.h>

#include "build/builds.h"
#include "build/report.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::build {
namespace {

using namespace std::chrono_literals;

const cache::Name kName{.app = "demo", .stack = "heroku-24", .arch = "amd64"};

class LastRestore : public ::testing::Test {
 protected:
  void put(const std::string& build, const std::string& outcome, const std::string& stack = kName.stack,
           const std::string& seed = "") {
    Report report;
    report.app = kName.app;
    report.build = build;
    report.stack = stack;
    report.arch = kName.arch;
    report.restore.outcome = outcome;
    report.restore.seed = seed;
    ASSERT_TRUE(store_records(memory_, kName.app, build, to_json(report), "a log", {}));
  }
  std::optional<store::StoreTime> found(store::StoreTime since = {}) {
    return last_restore(memory_, kName, since, {}).value();
  }

  store::MemoryStore memory_;
};

TEST_F(LastRestore, IsThatOfTheNewestBuildThatHadOne) {
  EXPECT_EQ(found(), std::nullopt);
  put("20260101T000000Z-a", "miss");
  EXPECT_EQ(found(), std::nullopt);
  memory_.advance(1h);
  put("20260101T000000Z-b", "hit");
  const store::StoreTime hit = memory_.now();
  memory_.advance(1h);
  put("20260101T000000Z-c", "off");
  put("20260101T000000Z-d", "hit", "other");
  EXPECT_EQ(found(), hit);
  EXPECT_EQ(found(hit), std::nullopt);
  EXPECT_EQ(found(hit - 1s), hit);
  memory_.advance(1h);
  put("20260101T000000Z-e", "fallback");
  EXPECT_EQ(found(hit), memory_.now());
}

TEST_F(LastRestore, ABuildThatStartedFromAnotherAppsCacheMadeNoUseOfItsOwn) {
  put("20260101T000000Z-a", "hit", kName.stack, "other");
  EXPECT_EQ(found(), std::nullopt);
  put("20260101T000000Z-b", "hit");
  EXPECT_EQ(found(), memory_.now());
}

TEST_F(LastRestore, OtherAppsAndDamagedReportsTellNothing) {
  const cache::Name other{.app = "other", .stack = kName.stack, .arch = kName.arch};
  put("20260101T000000Z-a", "hit");
  EXPECT_EQ(last_restore(memory_, other, {}, {}).value(), std::nullopt);
  const auto key = store::Key::parse("apps/demo/builds/20260101T000000Z-b/report.json").value();
  for (const std::string text :
       {"", "[]", "{", R"({"stack":7})", R"({"stack":"heroku-24","arch":"amd64","cache":3})"}) {
    ASSERT_TRUE(memory_.put(key, std::as_bytes(std::span(text)), store::Condition::none(), {}));
    EXPECT_EQ(found(), memory_.now()) << text;
  }
}

TEST_F(LastRestore, AStoreThatFailsIsSaid) {
  put("20260101T000000Z-a", "hit");
  support::FaultyStore faulty(memory_);
  for (const support::Verb verb : {support::Verb::list, support::Verb::get}) {
    faulty.refuse(verb, ErrorKind::unavailable);
    EXPECT_EQ(last_restore(faulty, kName, {}, {}).error().kind, ErrorKind::unavailable);
    faulty.forgive();
  }
}

}  // namespace
}  // namespace hearth::build
