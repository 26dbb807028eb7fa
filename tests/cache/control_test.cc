// What operators and owners decide: what is left out of a cache, whose cache a new one starts from, and that there is
// to be none.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cache/engine_support.h"
#include "cache/format/key.h"
#include "cache/generations/collect.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "util/text.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FaultyStore;
using support::Verb;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class Control : public ::testing::Test {
 protected:
  static Name name_of(const std::string& app, const std::string& stack = "heroku-24") { return {app, stack, "amd64"}; }

  SaveReport save(Machine& machine, const std::string& app, const std::string& exclude = {}) {
    const SaveOptions options{.threads = 2,
                              .transfers = 0,
                              .compression_level = kDefaultCompressionLevel,
                              .max_bytes = 0,
                              .exclude = util::IgnoreRules(exclude),
                              .as = SaveAs::newest,
                              .progress = nullptr};
    return cache::save(faulty_, name_of(app), machine.directory(), machine.index(), options, {});
  }

  RestoreReport restore(Machine& machine, const std::string& app, const std::vector<std::string>& seeds = {}) {
    const RestoreOptions options{
        .owner = {}, .threads = 2, .transfers = 0, .seeds = seeds, .from = From::in_force, .progress = nullptr};
    return cache::restore(faulty_, name_of(app), machine.directory(), machine.index(), options, {});
  }

  // Saves a tree of three files as the cache of `app`.
  void fill(const std::string& app) {
    Machine machine(memory_, app);
    make_plain_tree(machine.directory(), 3, 1000, static_cast<unsigned>(app.size()));
    ASSERT_EQ(save(machine, app).outcome, SaveOutcome::saved);
  }

  std::vector<std::string> objects_below(const std::string& prefix) {
    std::vector<std::string> keys;
    for (const store::Key& key : all_objects_of(memory_)) {
      if (key.text().starts_with(prefix)) keys.push_back(key.text());
    }
    return keys;
  }

  // The paths that a fresh machine gets, sorted.
  std::vector<std::string> restored_paths(const std::string& app) {
    Machine machine(memory_, app);
    EXPECT_EQ(restore(machine, app).outcome, RestoreOutcome::hit);
    std::vector<std::string> paths;
    for (const auto& [path, node] : picture(machine.directory())) {
      if (!path.empty()) paths.push_back(path);
    }
    return paths;
  }

  store::MemoryStore memory_;
  FaultyStore faulty_{memory_};
};

TEST_F(Control, WhatAPatternNamesIsLeftOut) {
  Machine machine(memory_);
  for (const char* path : {"a.log", "dir/b.log", "dir/kept", "tmp/x", "tmp/y/z", "other/tmp", "sub/top", "top"}) {
    put_file(machine.directory() / path, path);
  }
  const SaveReport report = save(machine, "demo", "*.log\ntmp/\n/top\n");
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.left_out, 4U) << "two logs, the directory tmp as one, and top";
  EXPECT_EQ(report.entries, 6U);
  EXPECT_EQ(report.bytes, std::string("dir/keptother/tmpsub/top").size());
  EXPECT_THAT(restored_paths("demo"), ElementsAre("dir", "dir/kept", "other", "other/tmp", "sub", "sub/top"));
  // Nothing changed in what counts.
  put_file(machine.directory() / "tmp/new", "x");
  EXPECT_EQ(save(machine, "demo", "*.log\ntmp/\n/top\n").outcome, SaveOutcome::unchanged);
}

TEST_F(Control, WhatWasSavedBeforeItWasExcludedVanishes) {
  Machine machine(memory_);
  put_file(machine.directory() / "kept", "content");
  put_file(machine.directory() / "logs/a", "one");
  put_file(machine.directory() / "logs/b", "two");
  EXPECT_EQ(save(machine, "demo").outcome, SaveOutcome::saved);
  const SaveReport report = save(machine, "demo", "logs");
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.removed, 3U);
  EXPECT_EQ(report.left_out, 1U);
  EXPECT_THAT(restored_paths("demo"), ElementsAre("kept"));
  EXPECT_TRUE(fs::exists(machine.directory() / "logs/a")) << "a save changes nothing in the directory";
  // And it is not missed later: the index knows what is in the generation.
  EXPECT_EQ(save(machine, "demo", "logs").outcome, SaveOutcome::unchanged);
  EXPECT_EQ(save(machine, "demo").added, 3U);
}

TEST_F(Control, WhatIsExcludedIsNotComplainedAbout) {
  Machine machine(memory_);
  put_file(machine.directory() / "kept", "content");
  ASSERT_EQ(::mkfifo((machine.directory() / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(save(machine, "demo").warnings, SizeIs(1));
  EXPECT_THAT(save(machine, "demo", "fifo").warnings, IsEmpty());
}

TEST_F(Control, AnExcludedNameOfAFileLeavesItsOthers) {
  Machine machine(memory_);
  put_file(machine.directory() / "a.tmp", "content");
  fs::create_hard_link(machine.directory() / "a.tmp", machine.directory() / "b");
  fs::create_hard_link(machine.directory() / "a.tmp", machine.directory() / "c");
  EXPECT_EQ(save(machine, "demo", "*.tmp").outcome, SaveOutcome::saved);
  Machine other(memory_);
  restore(other, "demo");
  const Picture found = picture(other.directory());
  EXPECT_EQ(found.at("c").twin, "b");
  EXPECT_FALSE(found.contains("a.tmp"));
}

TEST_F(Control, ASeedIsTakenWhereThereIsNoCache) {
  fill("parent");
  const std::vector<std::string> before = objects_below("");
  Machine machine(memory_, "child");
  const RestoreReport restored = restore(machine, "child", {"nobody", "child", "parent", "other"});
  EXPECT_EQ(restored.outcome, RestoreOutcome::hit) << ::testing::PrintToString(restored.warnings);
  EXPECT_EQ(restored.seed, "parent");
  EXPECT_THAT(restored.warnings, IsEmpty());
  EXPECT_EQ(objects_below(""), before) << "a restore writes nothing";

  // All of it becomes the app's own, although nothing has changed since.
  const SaveReport saved = save(machine, "child");
  EXPECT_EQ(saved.outcome, SaveOutcome::saved);
  EXPECT_EQ(saved.added, restored.entries);
  EXPECT_EQ(saved.bytes, restored.bytes);
  EXPECT_GT(saved.uploaded_bytes, 0U);
  EXPECT_EQ(objects_below("apps/parent/"), before) << "the seed is as it was";
  for (const std::string& key : objects_below("apps/parent/")) {
    ASSERT_TRUE(memory_.remove(store::Key::parse(key).value(), {}));
  }
  EXPECT_THAT(restored_paths("child"), SizeIs(restored.entries));
  // From here on it has its own.
  Machine next(memory_, "child");
  EXPECT_EQ(restore(next, "child", {"parent"}).seed, "");
}

TEST_F(Control, TheFirstSeedThatHasACacheIsTaken) {
  fill("one");
  fill("second");
  Machine machine(memory_, "child");
  EXPECT_EQ(restore(machine, "child", {"second", "one"}).seed, "second");
  EXPECT_EQ(restore(machine, "child", {"one", "second"}).seed, "one") << "and over what another one left";
  Machine fresh(memory_, "child");
  restore(fresh, "child", {"one"});
  EXPECT_EQ(picture(machine.directory()), picture(fresh.directory()));
}

TEST_F(Control, AnOwnCacheIsTakenBeforeAnySeed) {
  fill("parent");
  fill("child");
  Machine machine(memory_, "child");
  std::vector<std::string> asked;
  faulty_.before_each([&](const support::Operation& operation) { asked.push_back(operation.key); });
  const RestoreReport restored = restore(machine, "child", {"parent"});
  EXPECT_EQ(restored.outcome, RestoreOutcome::hit);
  EXPECT_EQ(restored.seed, "");
  EXPECT_THAT(asked, Each(StartsWith("apps/child/")));
}

TEST_F(Control, APurgedCacheStartsFromItsSeedAgain) {
  fill("parent");
  fill("child");
  ASSERT_TRUE(purge(memory_, Layout::of(name_of("child")).value(), {}));
  Machine machine(memory_, "child");
  EXPECT_EQ(restore(machine, "child", {"parent"}).seed, "parent");
  EXPECT_EQ(save(machine, "child").outcome, SaveOutcome::saved);
}

TEST_F(Control, ADamagedSeedIsPassedOver) {
  fill("bad");
  fill("good");
  for (const std::string& key : objects_below("apps/bad/")) {
    if (key.contains("/manifest/")) faulty_.hide(store::Key::parse(key).value());
  }
  Machine machine(memory_, "child");
  const RestoreReport restored = restore(machine, "child", {"bad", "good"});
  EXPECT_EQ(restored.outcome, RestoreOutcome::hit);
  EXPECT_EQ(restored.seed, "good");
  EXPECT_THAT(restored.warnings, Contains("the cache of bad could not be restored"));

  const RestoreReport alone = restore(machine, "child", {"bad"});
  EXPECT_EQ(alone.outcome, RestoreOutcome::miss);
  EXPECT_EQ(alone.seed, "");
  EXPECT_FALSE(fs::exists(machine.directory())) << "what another seed left is gone";
  fs::create_directories(machine.directory());
  put_file(machine.directory() / "x", "own");
  EXPECT_EQ(save(machine, "child").outcome, SaveOutcome::saved);
  EXPECT_THAT(restored_paths("child"), ElementsAre("x"));
}

TEST_F(Control, AStoreThatDoesNotAnswerIsNotAskedForSeeds) {
  fill("parent");
  faulty_.refuse(Verb::get, ErrorKind::unavailable);
  int gets = 0;
  faulty_.before_each([&](const support::Operation&) { ++gets; });
  Machine machine(memory_, "child");
  EXPECT_EQ(restore(machine, "child", {"parent"}).outcome, RestoreOutcome::unavailable);
  EXPECT_EQ(gets, 1);
}

TEST_F(Control, ASeedIsFetchedOnceForADirectoryThatStays) {
  fill("parent");
  Machine machine(memory_, "child");
  EXPECT_GT(restore(machine, "child", {"parent"}).fetched_bytes, 0U);
  const RestoreReport again = restore(machine, "child", {"parent"});
  EXPECT_EQ(again.seed, "parent");
  EXPECT_EQ(again.fetched_bytes, 0U);
}

TEST_F(Control, AnAppsCachesGoTogether) {
  Machine machine(memory_);
  make_plain_tree(machine.directory(), 40, 100'000);
  for (const char* stack : {"heroku-22", "heroku-24"}) {
    ASSERT_EQ(
        cache::save(memory_, name_of("demo", stack), machine.directory(), machine.place() / stack, {}, {}).outcome,
        SaveOutcome::saved);
  }
  fill("demo-2");
  const std::size_t stored = objects_below("apps/demo/").size();
  ASSERT_GT(stored, 4U);
  const std::vector<std::string> others = objects_below("apps/demo-2/");
  EXPECT_EQ(purge_app(memory_, "demo", {})->deleted, stored - 2) << "the HEADs stay";
  EXPECT_THAT(objects_below("apps/demo/"), Each(HasSubstr("/HEAD.")));
  EXPECT_EQ(objects_below("apps/demo-2/"), others);
  EXPECT_EQ(purge_app(memory_, "demo", {})->deleted, 0U);
  EXPECT_EQ(purge_app(memory_, "nobody", {})->deleted, 0U);
  EXPECT_THAT(objects_below("apps/nobody/"), IsEmpty());
  // The machine knows the cache as it was; it must not come back.
  const SaveReport late =
      cache::save(memory_, name_of("demo"), machine.directory(), machine.place() / "heroku-24", {}, {});
  EXPECT_EQ(late.outcome, SaveOutcome::superseded);
}

TEST(Key, AnAppsNameIsItself) {
  EXPECT_EQ(app_of_key("blog").value(), "blog");
  EXPECT_EQ(app_of_key(std::string(100, 'x')).value(), std::string(100, 'x'));
}

TEST(Key, AnyTextIsAName) {
  for (const std::string text : {"npm 3f9c, main", "a/b", "..", ".", "\n", "%2F", "schlüssel", " ", "\xff\xfe"}) {
    SCOPED_TRACE(text);
    const std::string app = app_of_key(text).value();
    EXPECT_EQ(app, text);
    const Result<Layout> layout = Layout::of({app, "heroku-24", "amd64"});
    ASSERT_TRUE(layout.has_value());
    EXPECT_EQ(Layout::name_of(layout->head())->app, text);
  }
}

TEST(Key, ALongOneIsCutAndToldFromOthers) {
  const std::string stem(400, 'k');
  const std::string one = app_of_key(stem + "1").value();
  const std::string other = app_of_key(stem + "2").value();
  EXPECT_NE(one, other);
  EXPECT_THAT(one, StartsWith(std::string(100, 'k')));
  // 512 characters, of which each is nine bytes when it is encoded.
  std::string wide;
  for (int i = 0; i < 512; ++i) wide += "€";
  const std::string app = app_of_key(wide).value();
  EXPECT_THAT(app, StartsWith("€€"));
  EXPECT_EQ(app.find('~') % std::string("€").size(), 0U) << "cut between two characters";
  for (const std::string& each : {one, app}) {
    EXPECT_LE(util::percent_encode(each).size(), 255U);
    EXPECT_TRUE(Layout::of({each, "heroku-24", "amd64"}).has_value());
  }
  EXPECT_EQ(app_of_key(wide).value(), app);
}

TEST(Key, HasItsLimits) {
  EXPECT_EQ(app_of_key("").error().kind, ErrorKind::invalid);
  EXPECT_TRUE(app_of_key(std::string(512, 'k')).has_value());
  EXPECT_EQ(app_of_key(std::string(513, 'k')).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace hearth::cache::testing
