#include "cache/operator/diff.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <map>

#include "cache/engine_support.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class DiffOf : public ::testing::Test {
 protected:
  struct Told {
    Diff diff;
    std::map<std::string, Change> changes;
    std::map<std::string, Difference> differences;  // their paths are not to be used
    std::vector<DirectorySums::Directory> directories;
  };

  Told told(unsigned depth = 1) {
    const Layout layout = Layout::of(kName).value();
    const OpenedGeneration older = open_generation(store_, layout, "1", {}).value();
    const OpenedGeneration newer = open_generation(store_, layout, "0", {}).value();
    Told told;
    DirectorySums sums(depth);
    const auto visit = [&](const Difference& difference) {
      sums.add(difference);
      const std::string path = difference.path.text();
      if (!told.changes.empty()) {
        EXPECT_LT(std::prev(told.changes.end())->first, path);
      }
      told.changes.emplace(path, difference.change);
      told.differences.emplace(path, difference);
    };
    told.diff = diff(store_, layout, older, newer, visit, {}).value();
    told.directories = sums.sorted();
    return told;
  }

  SaveReport save() {
    const SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved);
    return report;
  }

  // So that the save has to look for what changed by itself.
  SaveReport save_without_index() {
    fs::remove(machine_.index());
    return save();
  }

  void touch(const std::string& path, std::int64_t seconds) {
    const std::array<timespec, 2> times = {timespec{seconds, 0}, timespec{seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, at(path).c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0);
  }

  fs::path at(const std::string& path) const { return machine_.directory() / path; }

  // What the save reported is what the diff says of it.
  static void expect_same(const Upload& upload, const SaveReport& report) {
    EXPECT_EQ(upload.packs + 1, report.uploaded_objects);
    EXPECT_EQ(upload.pack_bytes + upload.manifest_bytes, report.uploaded_bytes);
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{store_};
};

TEST_F(DiffOf, EveryKindOfChange) {
  // Times of the top do not move when entries come and go below it.
  for (const char* name : {"content", "size", "mode", "times", "same", "gone", "becomes-directory", "one"}) {
    put_file(at(fmt::format("d/{}", name)), noise(300'000, static_cast<unsigned>(name[0] + name[1])));
  }
  // What goes is little beside what stays, so that no pack is written anew.
  put_file(at("d/ballast"), noise(9'000'000, 1));
  fs::create_symlink("old", at("d/link"));
  fs::create_hard_link(at("d/one"), at("d/two"));
  put_file(at("d/other"), noise(300'000, 99));
  for (const char* name : {"d/content", "d/size", "d/mode", "d/link", "d"}) touch(name, 1'000'000'000);
  save();

  put_file(at("d/content"), noise(300'000, 4711));
  put_file(at("d/size"), "short");
  ASSERT_EQ(::chmod(at("d/mode").c_str(), 0700), 0);
  touch("d/times", 1'234'567'890);
  fs::remove(at("d/gone"));
  fs::remove(at("d/becomes-directory"));
  fs::create_directory(at("d/becomes-directory"));
  fs::remove(at("d/link"));
  fs::create_symlink("new", at("d/link"));
  fs::remove(at("d/two"));
  fs::create_hard_link(at("d/other"), at("d/two"));
  put_file(at("e/added"), noise(123'456, 5));
  for (const char* name : {"d/content", "d/size", "d/mode", "d/link", "d"}) touch(name, 1'000'000'000);
  const SaveReport report = save();

  const Told all = told();
  EXPECT_THAT(all.changes,
              ElementsAre(Pair("d/becomes-directory", Change::type), Pair("d/content", Change::content),
                          Pair("d/gone", Change::removed), Pair("d/link", Change::target), Pair("d/mode", Change::mode),
                          Pair("d/size", Change::content), Pair("d/times", Change::times),
                          Pair("d/two", Change::content), Pair("e", Change::added), Pair("e/added", Change::added)));
  EXPECT_EQ(all.diff.unchanged, 5U);  // d, ballast, one, other, same
  expect_same(all.diff.upload, report);
  EXPECT_EQ(all.diff.of(Change::added).entries, report.added);
  EXPECT_EQ(all.diff.of(Change::removed).entries, report.removed);
  EXPECT_EQ(all.diff.of(Change::removed).before, 300'000U);
  EXPECT_EQ(all.differences.at("d/content").uploaded, 300'000U);
  EXPECT_EQ(all.differences.at("d/size").before, 300'000U);
  EXPECT_EQ(all.differences.at("d/size").after, 5U);
  EXPECT_EQ(all.differences.at("e/added").uploaded, 123'456U);
  EXPECT_EQ(all.diff.upload.content_bytes, 300'000U + 5U + 123'456U);
  EXPECT_EQ(all.diff.upload.known_bytes, 0U);
  EXPECT_EQ(all.diff.warning, "");
}

TEST_F(DiffOf, TheSumsAreThoseOfTheSave) {
  make_rich_tree(machine_.directory());
  make_plain_tree(machine_.directory(), 40, 60'000);
  save();
  fs::remove_all(at("dir3"));
  make_plain_tree(at("copy"), 10, 50'000, 8);
  put_file(at("dir1/file1"), "changed");
  const SaveReport report = save();
  const Told all = told();
  std::uint64_t changed = 0;
  for (const Change change : {Change::type, Change::content, Change::target, Change::mode, Change::times}) {
    changed += all.diff.of(change).entries;
  }
  EXPECT_EQ(all.diff.of(Change::added).entries, report.added);
  EXPECT_EQ(all.diff.of(Change::removed).entries, report.removed);
  EXPECT_EQ(changed, report.changed);
  EXPECT_EQ(all.diff.unchanged + changed + report.added, report.entries);
  expect_same(all.diff.upload, report);
  EXPECT_EQ(all.diff.upload.content_bytes, 10U * 50'000 + 7);
}

TEST_F(DiffOf, WhatWasMovedIsNotUploaded) {
  make_plain_tree(at("old"), 20, 100'000);
  save();
  fs::rename(at("old"), at("new"));
  const SaveReport report = save();
  const Told all = told();
  EXPECT_EQ(all.diff.of(Change::added).after, 2'000'000U);
  EXPECT_EQ(all.diff.of(Change::removed).before, 2'000'000U);
  EXPECT_EQ(all.diff.upload.packs, 0U);
  EXPECT_EQ(all.diff.upload.content_bytes, 0U);
  expect_same(all.diff.upload, report);
}

TEST_F(DiffOf, ASmallCacheStoresItsContentAnewEachTime) {
  put_file(at("a"), "one");
  put_file(at("b"), std::string(5000, 'b'));
  save();
  put_file(at("a"), "two");
  const SaveReport report = save();
  const Told all = told();
  EXPECT_THAT(all.changes, ElementsAre(Pair("a", Change::content)));
  EXPECT_EQ(all.diff.upload.packs, 0U);
  EXPECT_EQ(all.diff.upload.content_bytes, 5003U);
  EXPECT_EQ(all.diff.upload.known_bytes, 5000U);
  expect_same(all.diff.upload, report);
}

// From the manifest into packs, or with another compression: the content is the same, and its place is another one.
TEST_F(DiffOf, ContentThatLiesElsewhereIsNotChanged) {
  put_file(at("a"), "one");
  put_file(at("b"), std::string(5000, 'b'));
  save();
  put_file(at("c"), noise(2'000'000, 1));
  const SaveReport report = save();
  const Told all = told();
  EXPECT_THAT(all.changes, ElementsAre(Pair("c", Change::added)));
  EXPECT_EQ(all.diff.upload.content_bytes, 2'005'003U);
  EXPECT_EQ(all.diff.upload.known_bytes, 5003U);
  expect_same(all.diff.upload, report);
}

// The digest of short content can be made to be that of longer content.
TEST_F(DiffOf, ABlockOfTheSameDigestMayHoldOtherContent) {
  const auto made = [](std::uint32_t raw_bytes) {
    OpenedGeneration opened{.epoch = new_id(), .generation = {}, .manifest = {}};
    opened.generation.manifests = {{new_id(), 100, {}}};
    const Extent extent{0, 0, 1'000};
    opened.manifest.entries.add(
        {.path = "file", .mode = 0644, .size = 1'000, .target = {}, .extents = std::span(&extent, 1)});
    opened.manifest.inline_bytes.resize(100);
    opened.manifest.blocks = {{.pack = kInline,
                               .offset = 0,
                               .stored_bytes = 100,
                               .raw_bytes = raw_bytes,
                               .digest = util::sha256("stored"),
                               .encoding = Encoding::zstd}};
    return opened;
  };
  const auto changes = [&](const OpenedGeneration& older, const OpenedGeneration& newer) {
    std::vector<Change> told;
    const auto visit = [&](const Difference& difference) { told.push_back(difference.change); };
    EXPECT_TRUE(diff(store_, Layout::of(kName).value(), older, newer, visit, {}));
    return told;
  };
  EXPECT_THAT(changes(made(1'000), made(1'000)), IsEmpty());
  EXPECT_THAT(changes(made(1'000), made(2'000)), ElementsAre(Change::content));
}

TEST_F(DiffOf, ContentOfTheSameSizeInADamagedPackCountsAsChanged) {
  put_file(at("a"), noise(1'500'000, 1));
  save();
  const std::vector<store::Key> packs = objects_of(store_);
  put_file(at("a"), noise(1'500'000, 2));
  save();
  for (const store::Key& key : packs) {
    if (key.text().contains("/pack/")) store_.hide(key);
  }
  const Told all = told();
  EXPECT_THAT(all.changes, ElementsAre(Pair("a", Change::content)));
  EXPECT_NE(all.diff.warning, "");
}

TEST_F(DiffOf, AStoreThatDoesNotAnswerIsAnErrorBeforeAnythingIsTold) {
  put_file(at("a"), noise(1'500'000, 1));
  put_file(at("b"), "b");
  save();
  put_file(at("a"), noise(1'500'000, 2));
  fs::remove(at("b"));
  save();
  const Layout layout = Layout::of(kName).value();
  const OpenedGeneration older = open_generation(store_, layout, "1", {}).value();
  const OpenedGeneration newer = open_generation(store_, layout, "0", {}).value();
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  int visited = 0;
  const Result<Diff> result = diff(store_, layout, older, newer, [&](const Difference&) { ++visited; }, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(visited, 0);
}

TEST_F(DiffOf, DirectoriesAreSummedUpAtTheirDepth) {
  put_file(at("x/y/z/one"), std::string(100, '1'));
  put_file(at("top"), "t");
  const auto keep_times = [this] {
    for (const char* directory : {"x", "x/y", "x/y/z"}) touch(directory, 1'000'000'000);
  };
  keep_times();
  save();
  put_file(at("x/y/z/two"), std::string(2000, '2'));
  put_file(at("x/y/three"), std::string(30, '3'));
  put_file(at("x/y/z/one"), std::string(101, '4'));
  put_file(at("four"), std::string(4, '5'));
  fs::remove(at("top"));
  keep_times();
  save_without_index();
  const auto sums = [](const Told& all) {
    std::map<std::string, std::array<std::uint64_t, 4>> found;
    for (const DirectorySums::Directory& directory : all.directories) {
      found[directory.path] = {directory.added.after, directory.removed.before, directory.changed.after,
                               directory.added.entries};
    }
    return found;
  };
  using Sums = std::array<std::uint64_t, 4>;
  EXPECT_THAT(sums(told(0)), ElementsAre(Pair("", Sums{2034, 1, 101, 3})));
  EXPECT_THAT(sums(told(1)), ElementsAre(Pair("", Sums{4, 1, 0, 1}), Pair("x", Sums{2030, 0, 101, 2})));
  EXPECT_THAT(sums(told(2)), ElementsAre(Pair("", Sums{4, 1, 0, 1}), Pair("x/y", Sums{2030, 0, 101, 2})));
  const Told deep = told(3);
  EXPECT_THAT(sums(deep), ElementsAre(Pair("", Sums{4, 1, 0, 1}), Pair("x/y", Sums{30, 0, 0, 1}),
                                      Pair("x/y/z", Sums{2000, 0, 101, 1})));
  EXPECT_EQ(deep.directories.front().path, "x/y/z");
  EXPECT_EQ(deep.directories.front().bytes(), 2101U);
}

}  // namespace
}  // namespace hearth::cache::testing
