#include "cache/operator/purge_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/crash.h"
#include "cache/format/rewrite.h"
#include "cache/format_samples.h"
#include "cache/generations/commit.h"
#include "cache/operator/change.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Chosen named(std::string path) {
  return [path = std::move(path)](const Entry& entry) { return entry.path == Path(path); };
}

Picture without(Picture tree, const std::string& path) {
  std::erase_if(tree, [&](const auto& one) { return one.first == path || one.first.starts_with(path + "/"); });
  return tree;
}

class PurgePath : public ::testing::Test {
 protected:
  std::string save() {
    const SaveReport report = machine_.save();
    EXPECT_EQ(report.outcome, SaveOutcome::saved);
    return report.generation;
  }
  // Two directories with content of their own, too much for the manifest.
  void fill(unsigned seed = 1) {
    make_plain_tree(machine_.directory() / "keep", 20, 60'000, seed);
    make_plain_tree(machine_.directory() / "drop", 20, 60'000, seed + 1);
  }
  Result<PathPurgeReport> purge(const std::string& path, Rehearse rehearse = Rehearse::no) {
    return purge_path(store_, layout_, named(path), rehearse, {});
  }
  Head head() { return read_head(memory_, layout_, {}).value().seen.head; }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{memory_};
  const Layout layout_ = Layout::of(kDemo).value();
};

TEST_F(PurgePath, OneDirectoryGoesAndNothingElse) {
  fill();
  const std::string before = save();
  const Picture tree = picture(machine_.directory());
  const std::size_t objects = objects_of(memory_).size();
  const Result<PathPurgeReport> report = purge("drop");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->paths, ElementsAre("drop"));
  ASSERT_THAT(report->dropped, SizeIs(1));
  EXPECT_EQ(report->dropped[0].id, before);
  EXPECT_EQ(report->dropped[0].entries, 1U + 7U + 20U);
  EXPECT_EQ(report->dropped[0].bytes, 20U * 60'000U);
  EXPECT_EQ(objects_of(memory_).size(), objects + 1);
  EXPECT_EQ(restored_picture(memory_), without(tree, "drop"));
  EXPECT_EQ(head().generations.size(), 1U);
  EXPECT_EQ(head().generations.front().id, report->generation);
  // Nothing of it is left: there is nothing to do.
  const Result<PathPurgeReport> again = purge("drop");
  ASSERT_TRUE(again);
  EXPECT_THAT(again->dropped, IsEmpty());
  EXPECT_EQ(again->generation, "");
}

TEST_F(PurgePath, ARehearsalChangesNothing) {
  fill();
  save();
  const Head before = head();
  const Result<PathPurgeReport> report = purge("drop", Rehearse::yes);
  ASSERT_TRUE(report);
  EXPECT_THAT(report->paths, ElementsAre("drop"));
  EXPECT_THAT(report->dropped, SizeIs(1));
  EXPECT_EQ(report->generation, "");
  EXPECT_EQ(head(), before);
}

TEST_F(PurgePath, OlderGenerationsThatHaveItGoWithTheirObjects) {
  fill();
  const std::string first = save();
  ASSERT_TRUE(pin(memory_, layout_, first, {}));
  fs::remove_all(machine_.directory() / "drop");
  const std::string second = save();
  fs::remove_all(machine_.directory() / "keep");
  make_plain_tree(machine_.directory() / "keep", 20, 60'000, 9);
  const std::string third = save();
  const Picture tree = picture(machine_.directory());
  const Head before = head();
  const Result<PathPurgeReport> report = purge("drop");
  ASSERT_TRUE(report);
  // The newest has none of it, so none is made anew.
  EXPECT_EQ(report->generation, "");
  EXPECT_THAT(report->paths, IsEmpty());
  ASSERT_THAT(report->dropped, SizeIs(1));
  EXPECT_EQ(report->dropped[0].id, first);
  EXPECT_TRUE(report->dropped[0].pinned);
  const Head after = head();
  ASSERT_THAT(after.generations, SizeIs(2));
  EXPECT_EQ(after.generations[0].id, third);
  EXPECT_EQ(after.generations[1].id, second);
  EXPECT_THAT(after.pins, IsEmpty());
  Stored freed;
  for (const auto& [object, bytes] : named_objects(before)) {
    if (!named_objects(after).contains(object)) freed.add(bytes);
  }
  EXPECT_EQ(report->trashed, freed);
  EXPECT_EQ(after.trash.size(), before.trash.size() + freed.objects);
  EXPECT_EQ(restored_picture(memory_), tree);
}

TEST_F(PurgePath, WhatWasRolledBackIsPurgedToo) {
  fill();
  save();
  fs::remove_all(machine_.directory() / "drop");
  save();
  fill();
  const std::string third = save();
  ASSERT_TRUE(roll_back(memory_, layout_, "1", Rehearse::no, {}));
  EXPECT_EQ(head().aside.front().id, third);
  const Result<PathPurgeReport> report = purge("drop");
  ASSERT_TRUE(report);
  EXPECT_THAT(report->dropped, SizeIs(2));
  EXPECT_THAT(head().aside, IsEmpty());
  EXPECT_THAT(head().generations, SizeIs(1));
}

TEST_F(PurgePath, NoSaveFromBeforeBringsItBack) {
  fill();
  save();
  ASSERT_TRUE(purge("drop"));
  put_file(machine_.directory() / "more", "x");
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::superseded);
  EXPECT_THAT(restored_picture(memory_), Not(::testing::Contains(::testing::Key("drop"))));
  EXPECT_EQ(machine_.restore_anew().outcome, RestoreOutcome::hit);
  fill(5);
  EXPECT_EQ(machine_.save().outcome, SaveOutcome::saved);
}

// A first save builds on nothing, so that its base does not give it away.
TEST_F(PurgePath, NorDoesAFirstSave) {
  Machine slow(store_);
  make_plain_tree(slow.directory() / "drop", 3, 1000);
  fill();
  bool done = false;
  store_.before_each([&](const support::Operation& operation) {
    // The slow one has made HEAD, and is uploading.
    if (done || operation.verb != support::Verb::put || operation.key.contains("/HEAD.")) return;
    done = true;
    save();
    ASSERT_TRUE(purge_path(memory_, layout_, named("drop"), Rehearse::no, {}));
  });
  EXPECT_EQ(slow.save().outcome, SaveOutcome::superseded);
  EXPECT_TRUE(done);
  EXPECT_THAT(restored_picture(memory_), Not(::testing::Contains(::testing::Key("drop"))));
}

TEST_F(PurgePath, ASaveThatIsCommittedMeanwhileIsPurgedWithTheRest) {
  fill();
  save();
  bool done = false;
  store_.before_each([&](const support::Operation& operation) {
    if (operation.verb != support::Verb::put || std::exchange(done, true)) return;
    put_file(machine_.directory() / "drop/late", "x");
    put_file(machine_.directory() / "kept", "x");
    save();
  });
  const Result<PathPurgeReport> report = purge("drop");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(done);
  EXPECT_THAT(report->dropped, SizeIs(2));
  EXPECT_EQ(restored_picture(memory_), without(picture(machine_.directory()), "drop"));
}

TEST_F(PurgePath, ASmallCacheToo) {
  put_file(machine_.directory() / "drop/file", "1");
  put_file(machine_.directory() / "keep", "2");
  save();
  ASSERT_TRUE(purge("drop"));
  EXPECT_EQ(restored_picture(memory_), without(picture(machine_.directory()), "drop"));
}

TEST_F(PurgePath, EverythingMayGo) {
  fill();
  save();
  const auto all = [](const Entry&) { return true; };
  const Result<PathPurgeReport> report = purge_path(store_, layout_, all, Rehearse::no, {});
  ASSERT_TRUE(report);
  EXPECT_THAT(report->paths, ElementsAre("drop", "keep"));
  EXPECT_THAT(restored_picture(memory_), SizeIs(1));
  EXPECT_THAT(head().generations.front().packs, IsEmpty());
}

// The link that stays becomes the file.
TEST_F(PurgePath, AnotherNameOfWhatGoesKeepsTheContent) {
  put_file(machine_.directory() / "drop/file", noise(5000, 1));
  fs::create_directories(machine_.directory() / "keep");
  fs::create_hard_link(machine_.directory() / "drop/file", machine_.directory() / "keep/a");
  fs::create_hard_link(machine_.directory() / "drop/file", machine_.directory() / "keep/b");
  save();
  ASSERT_TRUE(purge("drop"));
  Picture wanted = without(picture(machine_.directory()), "drop");
  for (const char* name : {"keep/a", "keep/b"}) wanted.at(name).twin = "keep/a";
  EXPECT_EQ(restored_picture(memory_), wanted);
}

TEST_F(PurgePath, AGenerationThatNobodyCanReadGoes) {
  fill();
  save();
  put_file(machine_.directory() / "keep/more", "x");
  const std::string newest = save();
  ASSERT_TRUE(memory_.remove(layout_.key({head().epoch, ObjectKind::manifest, newest, 0}), {}));
  const Result<PathPurgeReport> report = purge("drop");
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_THAT(report->dropped, SizeIs(2));
  EXPECT_FALSE(report->dropped[0].readable);
  fs::remove(machine_.directory() / "keep/more");
  const Picture restored = restored_picture(memory_);
  EXPECT_THAT(restored, Not(::testing::Contains(::testing::Key("drop"))));
  EXPECT_THAT(restored, ::testing::Contains(::testing::Key("keep/dir0/file0")));
}

TEST_F(PurgePath, WithoutACacheOrWithTrouble) {
  EXPECT_EQ(purge("drop").error().kind, ErrorKind::not_found);
  fill();
  save();
  const Head before = head();
  store_.refuse(support::Verb::put, ErrorKind::denied);
  EXPECT_EQ(purge("drop").error().kind, ErrorKind::denied);
  store_.forgive();
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(purge("drop").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(head(), before);
}

TEST(PurgePathCrash, AtEveryStep) {
  const auto prepare = [](Crashed& crashed) {
    const fs::path& directory = crashed.machine.directory();
    make_plain_tree(directory / "keep", 5, 200'000, 1);
    make_plain_tree(directory / "drop", 5, 200'000, 2);
    crashed.save();
    put_file(directory / "keep/more", "x");
    crashed.save();
    crashed.possible = {picture(directory), without(picture(directory), "drop")};
  };
  const auto operate = [](Crashed& crashed) {
    return purge_path(crashed.store, crashed.layout, named("drop"), Rehearse::no, {}).has_value();
  };
  const auto check = [](Crashed& crashed, bool) {
    // Whatever was done of it: the machine that has it brings it back only where it is not purged.
    const bool purged = !crashed.head().cut.empty();
    put_file(crashed.machine.directory() / "after", "x");
    EXPECT_EQ(crashed.machine.save().outcome, purged ? SaveOutcome::superseded : SaveOutcome::saved);
    crashed.possible.back() = restored_picture(crashed.memory);
    if (!purged) crashed.possible.back() = without(picture(crashed.machine.directory()), "drop");
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 2);
}

Path top_of(const Manifest& manifest, std::size_t index) {
  return manifest.entries[index].path;
}

// Every entry of the sample alone: what comes out is a manifest by all rules, and as the file system would have it.
TEST(Rewrite, WhateverGoesWhatStaysIsAManifest) {
  for (const Manifest& from : {sample::manifest(), sample::changed_manifest(), sample::inline_manifest()}) {
    ASSERT_TRUE(check(from));
    EXPECT_TRUE(rewrite(from, unchanged(from)) == from);
    for (std::size_t gone = 0; gone < from.entries.size(); ++gone) {
      const std::string top = top_of(from, gone).text();
      Rewriting rewriting = unchanged(from);
      rewriting.keeps = [&](std::size_t index) {
        const std::string path = top_of(from, index).text();
        return path != top && !path.starts_with(top + "/");
      };
      const Manifest left = rewrite(from, rewriting);
      const Result<void> good = check(left);
      EXPECT_TRUE(good) << top << ": " << good.error().message;
      EXPECT_LT(left.entries.size(), from.entries.size());
    }
  }
}

}  // namespace
}  // namespace hearth::cache::testing
