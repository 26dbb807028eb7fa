#include "build/cache_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CacheChoice choose(CacheMode operators, const ConfigVars& owners) {
  return choose_cache(operators, owners);
}

TEST(CacheChoice, NobodySaysAnything) {
  const CacheChoice choice = choose(CacheMode::on, {{"A", "b"}});
  EXPECT_EQ(choice.mode, CacheMode::on);
  EXPECT_EQ(choice.stored, StoredCache::stays);
  EXPECT_EQ(choice.why, "");
  EXPECT_THAT(choice.ignored, IsEmpty());
}

TEST(CacheChoice, WhatEitherForbidsIsForbidden) {
  using enum CacheMode;
  struct Case {
    CacheMode operators;
    const char* owners;
    CacheMode both;
  };
  for (const Case& each : std::initializer_list<Case>{{on, "on", on},
                                                      {on, "off", off},
                                                      {on, "read-only", read_only},
                                                      {on, "refresh", refresh},
                                                      {off, "on", off},
                                                      {off, "off", off},
                                                      {off, "read-only", off},
                                                      {off, "refresh", off},
                                                      {read_only, "on", read_only},
                                                      {read_only, "off", off},
                                                      {read_only, "read-only", read_only},
                                                      {read_only, "refresh", off},
                                                      {refresh, "on", refresh},
                                                      {refresh, "off", off},
                                                      {refresh, "read-only", off},
                                                      {refresh, "refresh", refresh}}) {
    const CacheChoice choice = choose(each.operators, {{"HEARTH_CACHE", each.owners}});
    EXPECT_EQ(choice.mode, each.both) << name(each.operators) << " and " << each.owners;
    EXPECT_EQ(choice.stored, StoredCache::stays);
  }
}

TEST(CacheChoice, SaysWhoWantedIt) {
  EXPECT_EQ(choose(CacheMode::off, {}).why, "--cache off");
  EXPECT_EQ(choose(CacheMode::on, {{"HEARTH_CACHE", "read-only\n"}}).why, "config var HEARTH_CACHE=read-only");
  EXPECT_EQ(choose(CacheMode::read_only, {{"HEARTH_CACHE", "refresh"}, {"DEIS_DISABLE_CACHE", ""}}).why,
            "--cache read-only, config var HEARTH_CACHE=refresh, config var DEIS_DISABLE_CACHE is set");
  EXPECT_EQ(choose(CacheMode::on, {{"DEIS_BUILDPACK_CACHE", "false"}}).why, "config var DEIS_BUILDPACK_CACHE=false");
}

TEST(CacheChoice, AValueThatCannotBeUsedCountsAsOn) {
  const CacheChoice choice = choose(CacheMode::on, {{"HEARTH_CACHE", "sometimes"}});
  EXPECT_EQ(choice.mode, CacheMode::on);
  EXPECT_THAT(choice.ignored, ElementsAre(HasSubstr("HEARTH_CACHE is none of on, off, read-only and refresh")));
  EXPECT_EQ(choose(CacheMode::refresh, {{"HEARTH_CACHE", "OFF"}}).mode, CacheMode::refresh);
  EXPECT_THAT(choose(CacheMode::on, {{"HEARTH_CACHE", " \n"}}).ignored, IsEmpty());
}

TEST(CacheChoice, DeisSwitchesDeleteWhatIsStored) {
  for (const ConfigVars& owners :
       std::initializer_list<ConfigVars>{{{"DEIS_BUILDPACK_CACHE", "false"}},
                                         {{"DEIS_BUILDPACK_CACHE", "False\n"}},
                                         {{"DEIS_DISABLE_CACHE", "1"}},
                                         {{"DEIS_DISABLE_CACHE", "false"}},
                                         {{"DEIS_DISABLE_CACHE", ""}},
                                         {{"DEIS_DISABLE_CACHE", "1"}, {"HEARTH_CACHE", "on"}}}) {
    for (const CacheMode operators : {CacheMode::on, CacheMode::refresh}) {
      const CacheChoice choice = choose(operators, owners);
      EXPECT_EQ(choice.mode, CacheMode::off);
      EXPECT_EQ(choice.stored, StoredCache::is_deleted);
    }
    // An operator who lets nothing be saved lets nothing be deleted either.
    for (const CacheMode operators : {CacheMode::off, CacheMode::read_only}) {
      const CacheChoice choice = choose(operators, owners);
      EXPECT_EQ(choice.mode, CacheMode::off);
      EXPECT_EQ(choice.stored, StoredCache::stays);
    }
  }
  for (const char* value : {"true", "0", "no", ""}) {
    EXPECT_EQ(choose(CacheMode::on, {{"DEIS_BUILDPACK_CACHE", value}}).mode, CacheMode::on) << value;
  }
}

TEST(CacheChoice, ExclusionsOfBothCount) {
  EXPECT_EQ(cache_exclusions({}, {}), "");
  EXPECT_EQ(cache_exclusions({"*.log", "tmp/"}, {{"HEARTH_CACHE_EXCLUDE", "a b\n/c"}}), "*.log\ntmp/\na b\n/c");
}

}  // namespace
}  // namespace hearth::build
