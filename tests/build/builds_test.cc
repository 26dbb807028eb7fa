#include "build/builds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/report.h"
#include "build/stored_builds.h"
#include "store/memory_store.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::build {
namespace {

using testing::StartsWith;

std::chrono::system_clock::time_point at(int year, int seconds) {
  return std::chrono::sys_days{std::chrono::year{year} / 1 / 31} + std::chrono::seconds(seconds);
}

class BuildsTest : public testing::Test {
 protected:
  // Publishes a slug with this content, and its report.
  void publish_build(const std::string& name, std::string_view content, bool succeeded = true) {
    ASSERT_TRUE(util::write_file(temp_.path() / "slug.tgz", content).has_value());
    ASSERT_TRUE(publish(store_, "demo", name, temp_.path() / "slug.tgz", "web: \"x\"\n", {}).has_value());
    Report report;
    report.slug = SlugReport{content.size(), 1, util::sha256(content).hex(), "k"};
    if (!succeeded) report.failure = Failure{};
    ASSERT_TRUE(store_records(store_, "demo", name, to_json(report), "log", {}).has_value());
  }
  void put(const std::string& key, std::string_view text) {
    ASSERT_TRUE(store_.put(store::Key::parse(key).value(), std::as_bytes(std::span(text)), store::Condition::none(), {})
                    .has_value());
  }
  store::MemoryStore store_;
  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "builds-").value());
};

TEST_F(BuildsTest, NamesSortByTime) {
  EXPECT_EQ("20260131T000005Z-ab", name_build(store_, "demo", "ab", at(2026, 5), {}).value());
}

TEST_F(BuildsTest, NamesSortByOrderAfterTheClockWasSetBack) {
  publish_build(name_build(store_, "demo", "zz", at(2026, 59), {}).value(), "old");
  const std::string second = name_build(store_, "demo", "aa", at(2020, 0), {}).value();
  EXPECT_EQ("20260131T000100Z-aa", second);
  publish_build(second, "new");
  EXPECT_EQ(second, newest_build(store_, "demo", {}).value().build);
  EXPECT_EQ("20260131T000101Z-bb", name_build(store_, "demo", "bb", at(2026, 60), {}).value()) << "the same second";
}

TEST_F(BuildsTest, NamesIgnoreFoldersOfOtherForms) {
  put("apps/demo/builds/zzz/slug.tgz", "x");
  put("apps/demo/builds/99999999T999999Z-x/slug.tgz", "x");
  put("apps/demo2/builds/20300131T000005Z-x/slug.tgz", "x");
  EXPECT_THAT(name_build(store_, "demo", "ab", at(2026, 5), {}).value(), StartsWith("20260131T000005Z-"));
}

TEST_F(BuildsTest, TheNewestThatSucceededIsTaken) {
  publish_build("20260101T000000Z-a", "good");
  publish_build("20260102T000000Z-b", "failed", false);
  put("apps/demo/builds/20260103T000000Z-c/slug.tgz", "its Procfile never came");
  put("apps/demo/builds/20260104T000000Z-d/report.json", "{}");
  const auto newest = newest_build(store_, "demo", {});
  ASSERT_TRUE(newest.has_value()) << newest.error().message;
  EXPECT_EQ("20260101T000000Z-a", newest->build);
  ASSERT_TRUE(download_slug(store_, *newest, temp_.path() / "copy", {}).has_value());
  EXPECT_EQ("good", util::read_file(temp_.path() / "copy").value());
}

TEST_F(BuildsTest, ABuildThatWasKilledWhileItSavedCounts) {
  put("apps/demo/builds/20260103T000000Z-c/slug.tgz", "slug");
  put("apps/demo/builds/20260103T000000Z-c/Procfile", "{}\n");
  EXPECT_EQ("20260103T000000Z-c", newest_build(store_, "demo", {}).value().build);
}

TEST_F(BuildsTest, WhatIsRunIsWhatIsListedAsSucceeded) {
  const std::string build = "20260103T000000Z-c";
  put("apps/demo/builds/" + build + "/slug.tgz", "slug");
  put("apps/demo/builds/" + build + "/Procfile", "{}\n");
  for (const char* report : {R"({"version": 999, "outcome": "succeeded"})", "{", ""}) {
    put("apps/demo/builds/" + build + "/report.json", report);
    EXPECT_EQ(BuildState::succeeded, stored_builds(store_, "demo", {}).value().front().state) << report;
    const auto newest = newest_build(store_, "demo", {});
    ASSERT_TRUE(newest.has_value()) << report << newest.error().message;
    EXPECT_EQ(build, newest->build);
    EXPECT_EQ("", newest->slug_sha256);
  }
}

TEST_F(BuildsTest, NoBuildIsNotFound) {
  EXPECT_EQ(ErrorKind::not_found, newest_build(store_, "demo", {}).error().kind);
}

TEST_F(BuildsTest, ADamagedSlugIsRefused) {
  publish_build("20260101T000000Z-a", "good");
  const auto newest = newest_build(store_, "demo", {}).value();
  put(newest.slug_key, "evil");
  const auto got = download_slug(store_, newest, temp_.path() / "copy", {});
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(ErrorKind::corrupt, got.error().kind);
}

}  // namespace
}  // namespace hearth::build
