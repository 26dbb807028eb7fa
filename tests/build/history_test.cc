#include "build/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::build {
namespace {

using namespace std::chrono_literals;
using support::FaultyStore;
using support::Operation;
using support::Verb;
using testing::ElementsAre;

std::string number(std::size_t value) {
  return fmt::format("{:04}", value);
}

// A build that compiled warm and succeeded.
PastBuild sample(const std::string& name) {
  PastBuild build;
  build.build = name;
  build.stack = "heroku-24";
  build.arch = "amd64";
  build.succeeded = true;
  build.source_version = "0123abc";
  build.restore = "hit";
  build.generation = "00000000000000aa";
  build.restore_time = 1500ms;
  build.waited = 250ms;
  build.restored_bytes = 1000;
  build.fetched_bytes = 500;
  build.compiled = Temperature::warm;
  build.compile_time = 12345ms;
  build.retry = "failed";
  build.save = "saved";
  build.saved_generation = "00000000000000bb";
  build.save_time = 750ms;
  build.uploaded_bytes = 90;
  return build;
}

std::vector<std::string> names(const History& history) {
  std::vector<std::string> names;
  for (const PastBuild& build : history) names.push_back(build.build);
  return names;
}

History stored(store::ObjectStore& store) {
  return read_history(store, "demo", {}).value().history;
}

void put(store::ObjectStore& store, std::string_view text) {
  const auto key = store::Key::parse("apps/demo/history.json").value();
  ASSERT_TRUE(store.put(key, std::as_bytes(std::span(text)), store::Condition::none(), {}).has_value());
}

TEST(History, ComesBackWithEveryMember) {
  const History history = {sample("a"), PastBuild{}, sample("c")};
  const auto decoded = decode_history(encode_history({history[1], history[0], history[2]}));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ((History{history[1], history[0], history[2]}), *decoded);
}

TEST(History, ASourceVersionIsAnyTextAndBounded) {
  PastBuild build = sample("a");
  build.source_version = "\xff" + std::string(100'000, 'x');
  const std::string text = encode_history({build});
  EXPECT_LT(text.size(), 2000U);
  EXPECT_TRUE(decode_history(text).has_value());
}

TEST(History, IsNotReadWhereItIsDamaged) {
  const std::string text = encode_history({sample("a")});
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    ASSERT_EQ(ErrorKind::corrupt, decode_history(text.substr(0, length)).error().kind) << length;
  }
  EXPECT_EQ(ErrorKind::corrupt, decode_history(R"({"version":1,"builds":[{"build":5}]})").error().kind);
  EXPECT_EQ(ErrorKind::corrupt, decode_history(R"({"version":1,"builds":5})").error().kind);
  EXPECT_EQ(ErrorKind::invalid, decode_history(R"({"version":2})").error().kind);
}

TEST(History, HasBuildsOfOneSecondAsTheyCame) {
  History history;
  for (const char* name : {"20260102T030405Z-c", "20260102T030405Z-a", "20260102T030404Z-z", "20260102T030405Z-b"}) {
    history = with_build(std::move(history), sample(name));
  }
  history = with_build(std::move(history), sample("20260102T030405Z-c"));
  const Result<History> decoded = decode_history(encode_history(history));
  ASSERT_TRUE(decoded);
  for (const History& one : {history, *decoded}) {
    EXPECT_THAT(names(one),
                ElementsAre("20260102T030404Z-z", "20260102T030405Z-c", "20260102T030405Z-a", "20260102T030405Z-b"));
  }
}

TEST(History, IsInTheOrderOfItsBuildsAndHasEachOnce) {
  History history;
  for (const char* name : {"b", "a", "c"}) history = with_build(std::move(history), sample(name));
  EXPECT_THAT(names(history), ElementsAre("a", "b", "c"));
  PastBuild again = sample("b");
  again.save = "late";
  history = with_build(std::move(history), again);
  EXPECT_THAT(names(history), ElementsAre("a", "b", "c"));
  EXPECT_EQ("late", history[1].save);
}

TEST(History, KeepsTheNewestBuildsAndAFewColdOnes) {
  History history;
  for (std::size_t i = 0; i < 300; ++i) {
    PastBuild build = sample(number(i));
    if (i < 10) build.compiled = Temperature::cold;
    history = with_build(std::move(history), build);
  }
  ASSERT_EQ(kBuildsKept + kColdKept, history.size());
  EXPECT_EQ("0005", history.front().build) << "the newest five of the cold ones";
  EXPECT_EQ("0009", history[4].build);
  EXPECT_EQ("0200", history[5].build);
  EXPECT_EQ("0299", history.back().build);
}

TEST(History, IsBoundedWhateverThereIs) {
  History history;
  for (std::size_t i = 0; i < 500; ++i) {
    PastBuild build = sample(number(i));
    build.compiled = Temperature::cold;
    build.stack = number(i);
    history = with_build(std::move(history), build);
  }
  EXPECT_EQ(kMostKept, history.size());
  EXPECT_LT(encode_history(history).size(), kHistoryLimit / 4);
}

TEST(History, KnowsWhatHasServed) {
  PastBuild failed = sample("a");
  failed.succeeded = false;
  PastBuild cold = sample("b");
  cold.compiled = Temperature::cold;
  EXPECT_FALSE(has_served({failed, cold}, failed.generation));
  EXPECT_TRUE(has_served({failed, cold, sample("c")}, failed.generation));
  EXPECT_FALSE(has_served({sample("c")}, "00000000000000bb"));
  EXPECT_FALSE(was_built({failed}, failed.source_version));
  EXPECT_TRUE(was_built({failed, cold}, failed.source_version));
  cold.source_version.clear();
  EXPECT_FALSE(was_built({cold}, ""));
}

TEST(History, TellsCachesApart) {
  PastBuild other = sample("b");
  other.stack = "heroku-22";
  EXPECT_THAT(names(of_cache({sample("a"), other}, "heroku-24", "amd64")), ElementsAre("a"));
  EXPECT_THAT(names(of_cache({sample("a"), other}, "heroku-22", "amd64")), ElementsAre("b"));
  EXPECT_TRUE(of_cache({sample("a")}, "heroku-24", "arm64").empty());
}

TEST(Remember, TakesOneRequestWhereNobodyWasFaster) {
  store::MemoryStore memory;
  FaultyStore faulty(memory);
  std::vector<Verb> verbs;
  faulty.before_each([&](const Operation& operation) { verbs.push_back(operation.verb); });
  const KnownHistory known = read_history(faulty, "demo", {}).value();
  ASSERT_TRUE(remember_build(faulty, "demo", sample("a"), known, {}).has_value());
  EXPECT_THAT(verbs, ElementsAre(Verb::get, Verb::put));
  EXPECT_EQ(History{sample("a")}, stored(memory));
}

TEST(Remember, LosesNothingToAFasterOne) {
  store::MemoryStore memory;
  FaultyStore faulty(memory);
  const KnownHistory known = read_history(memory, "demo", {}).value();
  ASSERT_TRUE(remember_build(memory, "demo", sample("a"), std::nullopt, {}).has_value());
  int puts = 0;
  faulty.before_each([&](const Operation& operation) {
    if (operation.verb == Verb::put && ++puts == 2) {
      ASSERT_TRUE(remember_build(memory, "demo", sample("b"), std::nullopt, {}).has_value());
    }
  });
  ASSERT_TRUE(remember_build(faulty, "demo", sample("c"), known, {}).has_value());
  EXPECT_EQ(3, puts);
  EXPECT_THAT(names(stored(memory)), ElementsAre("a", "b", "c"));
}

TEST(Remember, ManyAtOnceLoseNothing) {
  store::MemoryStore memory;
  constexpr std::size_t kThreads = 6;
  constexpr std::size_t kEach = 10;
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&memory, thread] {
      for (std::size_t i = 0; i < kEach; ++i) {
        const PastBuild build = sample(number(i * kThreads + thread));
        // As many attempts as it takes: each conflict is another's success.
        while (!remember_build(memory, "demo", build, std::nullopt, {})) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kThreads * kEach, stored(memory).size());
}

TEST(Remember, PutsANewHistoryInThePlaceOfADamagedOne) {
  store::MemoryStore memory;
  put(memory, "{\"version\":1,");
  EXPECT_TRUE(stored(memory).empty());
  ASSERT_TRUE(remember_build(memory, "demo", sample("a"), std::nullopt, {}).has_value());
  EXPECT_THAT(names(stored(memory)), ElementsAre("a"));
}

TEST(Remember, PutsANewHistoryInThePlaceOfAHugeOne) {
  store::MemoryStore memory;
  put(memory, std::string(kHistoryLimit + 1, ' '));
  ASSERT_TRUE(remember_build(memory, "demo", sample("a"), std::nullopt, {}).has_value());
  EXPECT_THAT(names(stored(memory)), ElementsAre("a"));
}

TEST(Remember, LeavesALaterVersionAlone) {
  store::MemoryStore memory;
  put(memory, "{\"version\":2}");
  EXPECT_EQ(ErrorKind::invalid, remember_build(memory, "demo", sample("a"), std::nullopt, {}).error().kind);
  EXPECT_EQ(ErrorKind::invalid, read_history(memory, "demo", {}).error().kind);
}

TEST(Remember, AStoreThatRefusesIsAnError) {
  store::MemoryStore memory;
  FaultyStore faulty(memory);
  faulty.refuse(Verb::put, ErrorKind::denied);
  EXPECT_EQ(ErrorKind::denied, remember_build(faulty, "demo", sample("a"), std::nullopt, {}).error().kind);
  faulty.refuse(Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(ErrorKind::unavailable, read_history(faulty, "demo", {}).error().kind);
}

TEST(AppsWithHistory, AreFoundAmongTheOthers) {
  store::MemoryStore memory;
  for (const char* key : {"apps/a%20b/history.json", "apps/b/builds/x/history.json", "apps/c/cache/HEAD.x-amd64",
                          "apps/d/history.json", "apps/e/history.json.old", "other/f/history.json"}) {
    const auto put =
        memory.put(store::Key::parse(key).value(), std::span<const std::byte>(), store::Condition::none(), {});
    ASSERT_TRUE(put.has_value());
  }
  EXPECT_THAT(apps_with_history(memory, {}).value(), ElementsAre("a b", "d"));
}

}  // namespace
}  // namespace hearth::build
