#include "build/pristine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "build/ssh_agent.h"
#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

class PristineTest : public testing::Test {
 protected:
  void put(const fs::path& path, std::string_view content) {
    fs::create_directories(path.parent_path());
    ASSERT_TRUE(util::write_file(path, content).has_value());
  }
  std::string content(const fs::path& path) { return util::read_file(path).value_or("gone"); }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "pristine-").value());
  WorkDir work_ = std::move(WorkDir::open(temp_.path(), "demo").value());
};

TEST_F(PristineTest, ComesBackAsItWas) {
  put(work_.build() / "dir/file", "source");
  ASSERT_EQ(0, ::symlink("file", (work_.build() / "dir/link").c_str()));
  put(work_.buildpacks() / "one/bin/compile", "script");
  put(work_.tmp() / kKnownHostsFile, "host");
  put(work_.env() / "VAR", "value");
  ASSERT_TRUE(keep_pristine(work_, std::nullopt, {}).has_value());
  // What a compile may do.
  put(work_.build() / "dir/file", "changed");
  put(work_.build() / "node_modules/x", "made");
  fs::permissions(work_.build() / "node_modules", fs::perms(0555));
  put(work_.buildpacks() / "one/export", "made");
  put(work_.cache() / "x", "made");
  put(work_.app() / ".cache/x", "made");
  put(work_.tmp() / "x", "made");
  ASSERT_TRUE(put_back_pristine(work_, std::nullopt).has_value());
  EXPECT_EQ("source", content(work_.build() / "dir/file"));
  EXPECT_EQ("file", fs::read_symlink(work_.build() / "dir/link"));
  EXPECT_FALSE(fs::exists(work_.build() / "node_modules"));
  EXPECT_EQ("script", content(work_.buildpacks() / "one/bin/compile"));
  EXPECT_FALSE(fs::exists(work_.buildpacks() / "one/export"));
  EXPECT_EQ("host", content(work_.tmp() / kKnownHostsFile));
  for (const fs::path& empty : {work_.env(), work_.cache(), work_.app(), work_.scratch()}) {
    EXPECT_TRUE(fs::is_directory(empty) && fs::is_empty(empty)) << empty;
  }
  EXPECT_FALSE(fs::exists(work_.tmp() / "x"));
}

TEST_F(PristineTest, WhatWasNotKeptCannotComeBack) {
  EXPECT_FALSE(put_back_pristine(work_, std::nullopt).has_value());
}

TEST_F(PristineTest, StopsWhenItIsToldTo) {
  put(work_.build() / "file", "source");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(ErrorKind::cancelled, keep_pristine(work_, std::nullopt, stop.get_token()).error().kind);
  EXPECT_FALSE(fs::exists(work_.own() / "pristine")) << "a part is of no use, and takes space";
}

TEST_F(PristineTest, ALinkThatDetectPutInAPlaceIsNotFollowed) {
  const fs::path elsewhere = temp_.path() / "elsewhere";
  put(elsewhere / "secret", "of the machine");
  for (const fs::path& place : {work_.build(), work_.buildpacks()}) {
    const fs::path aside = place.native() + ".aside";
    fs::rename(place, aside);
    fs::create_directory_symlink(elsewhere, place);
    EXPECT_FALSE(keep_pristine(work_, std::nullopt, {}).has_value()) << place;
    EXPECT_FALSE(fs::exists(work_.own() / "pristine"));
    fs::remove(place);
    EXPECT_FALSE(keep_pristine(work_, std::nullopt, {}).has_value()) << place;
    fs::rename(aside, place);
  }
  EXPECT_TRUE(keep_pristine(work_, std::nullopt, {}).has_value());
}

TEST_F(PristineTest, CanBeDropped) {
  put(work_.build() / "file", "source");
  ASSERT_TRUE(keep_pristine(work_, std::nullopt, {}).has_value());
  drop_pristine(work_);
  EXPECT_FALSE(fs::exists(work_.own() / "pristine"));
  drop_pristine(work_);
}

}  // namespace
}  // namespace hearth::build
