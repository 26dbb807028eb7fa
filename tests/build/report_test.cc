#include "build/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "util/file.h"

namespace hearth::build {
namespace {

Report sample() {
  Report report;
  report.app = "demo";
  report.build = "20260131T120000Z-0011223344556677";
  report.stack = "heroku-24";
  report.arch = "amd64";
  report.sandbox = "bwrap";
  report.buildpacks = {{"nodejs", "https://***@example.com/nodejs", "0123abcd", {{"node_version", "22"}}}};
  report.processes = {{"web", "node server.js"}};
  report.phases = {{"source", std::chrono::milliseconds(1), std::chrono::milliseconds(20)},
                   {"restore", std::chrono::milliseconds(2), std::chrono::microseconds(1500499)}};
  report.slug = SlugReport{1000, 12, std::string(64, 'a'), "apps/demo/builds/x/slug.tgz"};
  report.cache = {"read-only", "config var HEARTH_CACHE=read-only", 4};
  report.restore = {"hit", "0123", "parent", 10, 1000, 500};
  report.save = {"saved", "4567", 11, 1100, 100, 90, 3, 1, 2, 3, 4, 5000, 5};
  report.store = {1, 2, 3, 4, 5, 6, 7, 8, TierReport{9, 10, 11}};
  return report;
}

TEST(Report, HasTheDocumentedForm) {
  const std::string golden = std::string(HEARTH_SOURCE_DIR) + "/tests/build/report.golden.json";
  const std::string json = to_json(sample());
  if (std::getenv("ACCEPT") != nullptr) {
    ASSERT_TRUE(util::write_file(golden, json).has_value());
  }
  EXPECT_EQ(util::read_file(golden).value(), json);
}

TEST(Report, TellsAFailure) {
  Report report = sample();
  report.failure = Failure{FailureClass::deadline, "compile", "took too long \xff"};
  report.slug.reset();
  const std::string json = to_json(report);
  EXPECT_THAT(json, testing::HasSubstr("\"outcome\": \"failed\""));
  EXPECT_THAT(json, testing::HasSubstr("\"kind\": \"deadline\""));
  EXPECT_THAT(json, testing::HasSubstr("\"slug\": null"));
  const auto stored = parse_report(json);
  ASSERT_TRUE(stored.has_value());
  EXPECT_FALSE(stored->succeeded);
}

TEST(Report, IsReadBack) {
  const auto stored = parse_report(to_json(sample()));
  ASSERT_TRUE(stored.has_value());
  EXPECT_TRUE(stored->succeeded);
  EXPECT_EQ(std::string(64, 'a'), stored->slug_sha256);
}

TEST(Report, IsCompletedByASaveThatEndsLater) {
  Report report = sample();
  report.save = {};
  report.save.outcome = "background";
  report.phases.pop_back();
  const CacheSaveReport save = sample().save;
  const PhaseReport phase = sample().phases.back();
  const auto completed = with_save(to_json(report), save, phase, {1, 1, 1, 1, 1, 1, 1, 1});
  ASSERT_TRUE(completed.has_value()) << completed.error().message;
  Report whole = sample();
  whole.store = {2, 3, 4, 5, 6, 7, 8, 9, TierReport{9, 10, 11}};
  EXPECT_EQ(to_json(whole), *completed);
  const StoreReport more{0, 0, 0, 0, 0, 0, 0, 0, TierReport{1, 2, 3}};
  whole.store.tier = TierReport{10, 12, 14};
  EXPECT_EQ(to_json(whole), with_save(to_json(report), save, phase, {1, 1, 1, 1, 1, 1, 1, 1, more.tier}).value());
  report.store.tier.reset();
  whole.store = {1, 2, 3, 4, 5, 6, 7, 8, more.tier};
  EXPECT_EQ(to_json(whole), with_save(to_json(report), save, phase, more).value());
  EXPECT_EQ(ErrorKind::corrupt, with_save("{}", save, phase, {}).error().kind);
  EXPECT_EQ(ErrorKind::corrupt, with_save("", save, phase, {}).error().kind);
}

TEST(Report, IsNotReadWhereItIsDamaged) {
  const std::string json = to_json(sample());
  for (std::size_t length = 0; length + 2 < json.size(); ++length) {
    ASSERT_FALSE(parse_report(json.substr(0, length)).has_value()) << length;
  }
  EXPECT_EQ(ErrorKind::corrupt, parse_report(R"({"version":2})").error().kind);
  EXPECT_EQ(ErrorKind::corrupt,
            parse_report(R"({"version":1,"outcome":"succeeded","slug":{"sha256":5}})").error().kind);
}

}  // namespace
}  // namespace hearth::build
