#include "cache/generations/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cache/engine_support.h"
#include "cache/generations/collect.h"
#include "cache/operator/survey.h"
#include "cache/operator/usage.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Inspect : public ::testing::Test {
 protected:
  Layout layout() const { return Layout::of(kName).value(); }
  OpenedGeneration opened(std::string_view which = "0") { return open_generation(store_, layout(), which, {}).value(); }
  Head head() { return read_usable_head(store_, layout(), {}).value().seen.head; }

  // The store's own listing.
  Stored listed(const std::string& below) {
    Stored stored;
    const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
      if (info.key.text().starts_with(below)) stored.add(info.size);
      return {};
    };
    EXPECT_TRUE(memory_.list(store::Prefix(), visit, {}).has_value());
    return stored;
  }

  // What the generation consists of without what the others consist of, with the sizes of the listing.
  Stored sum_of(std::size_t number, const std::vector<std::size_t>& without) {
    const Head now = head();
    std::set<ObjectName> objects;
    for (const ObjectName& object : cache::objects_of(now, now.generations.at(number))) objects.insert(object);
    for (const std::size_t other : without) {
      for (const ObjectName& object : cache::objects_of(now, now.generations.at(other))) objects.erase(object);
    }
    Stored sum;
    for (const ObjectName& object : objects) sum.add(listed(layout().key(object).text()).bytes);
    return sum;
  }

  // Files of several names count once.
  static TreeSize counted(const fs::path& directory) {
    TreeSize size;
    std::set<std::string> twins;
    for (const auto& [path, node] : picture(directory)) {
      if (path.empty()) continue;
      ++size.entries;
      const bool known = !node.twin.empty() && !twins.insert(node.twin).second;
      if (node.kind == 'f' && !known) size.bytes += fs::file_size(directory / path);
    }
    return size;
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{store_};
};

TEST_F(Inspect, FindsTheCachesOfOneApp) {
  EXPECT_THAT(find_caches(store_, "demo", {}).value(), IsEmpty());
  put_file(machine_.directory() / "file", "content");
  machine_.save();
  Machine other(store_, "demo-2");
  put_file(other.directory() / "file", "content");
  other.save();
  const Name old_stack{"demo", "a-b", "arm64"};
  save(store_, old_stack, machine_.directory(), machine_.place() / "index-2", {}, {});
  EXPECT_THAT(find_caches(store_, "demo", {}).value(), ElementsAre(old_stack, kName));
  EXPECT_THAT(find_caches(store_, "demo-2", {}).value(), ElementsAre(Name{"demo-2", "heroku-24", "amd64"}));
  EXPECT_THAT(find_caches(store_, "dem", {}).value(), IsEmpty());
  EXPECT_EQ(find_caches(store_, {}).value().size(), 3U);
  store_.refuse(support::Verb::list, ErrorKind::denied);
  EXPECT_EQ(find_caches(store_, "demo", {}).error().kind, ErrorKind::denied);
}

TEST_F(Inspect, AHeadThatCannotBeUsedIsAnError) {
  EXPECT_EQ(read_usable_head(store_, layout(), {}).error().kind, ErrorKind::not_found);
  put_file(machine_.directory() / "file", "content");
  machine_.save();
  EXPECT_EQ(read_usable_head(store_, layout(), {}).value().seen.head, head());
  store_.corrupt(layout().head(), 20);
  EXPECT_EQ(read_usable_head(store_, layout(), {}).error().kind, ErrorKind::corrupt);
}

TEST_F(Inspect, GenerationsAreNamedByNumberOrId) {
  for (const char* content : {"1", "2", "3"}) {
    put_file(machine_.directory() / "file", content);
    machine_.save();
  }
  Head three = head();
  ASSERT_EQ(three.generations.size(), 3U);
  three.aside.push_back(three.generations.front());
  three.generations.erase(three.generations.begin());
  const std::string aside = three.aside.front().id;
  const auto chosen = [&](std::string_view which, Among among) { return choose_generation(three, which, among); };
  EXPECT_EQ(chosen("0", Among::in_force).value(), &three.generations[0]);
  EXPECT_EQ(chosen("1", Among::in_force).value(), &three.generations[1]);
  EXPECT_EQ(chosen(three.generations[1].id, Among::in_force).value(), &three.generations[1]);
  EXPECT_EQ(chosen(aside, Among::in_force_and_aside).value(), &three.aside[0]);
  EXPECT_EQ(chosen(aside, Among::in_force).error().kind, ErrorKind::not_found);
  EXPECT_EQ(chosen("2", Among::in_force_and_aside).error().kind, ErrorKind::not_found);
  EXPECT_EQ(chosen("99999999999999999999", Among::in_force).error().kind, ErrorKind::invalid);
  for (const char* bad : {"", "-1", "1x", " 1", "newest", "0x1"}) {
    EXPECT_EQ(chosen(bad, Among::in_force).error().kind, ErrorKind::invalid) << bad;
  }
  EXPECT_EQ(choose_generation(Head(), "0", Among::in_force).error().kind, ErrorKind::not_found);
}

TEST_F(Inspect, AMissingManifestIsDamageAndNotAMissingCache) {
  put_file(machine_.directory() / "file", "content");
  machine_.save();
  const ObjectName name = opened().manifest_name();
  store_.hide(layout().key(name));
  const Result<OpenedGeneration> result = open_generation(store_, layout(), "0", {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, ErrorKind::corrupt);
  EXPECT_THAT(result.error().message, HasSubstr(name.text()));
}

TEST_F(Inspect, AGenerationThatWasDroppedMeanwhileIsLookedForAgain) {
  put_file(machine_.directory() / "file", "old");
  machine_.save();
  const store::Key old = layout().key(opened().manifest_name());
  bool replaced = false;
  store_.before_each([&](const support::Operation& operation) {
    if (replaced || operation.key != old.text()) return;
    replaced = true;
    Machine other(memory_);
    other.restore();
    put_file(other.directory() / "file", "new content");
    other.save();
    EXPECT_TRUE(memory_.remove(old, {}).has_value());
  });
  const OpenedGeneration found = opened("0");
  EXPECT_TRUE(replaced);
  EXPECT_EQ(size_of(found.manifest).bytes, std::string_view("new content").size());
}

TEST_F(Inspect, SurveyCountsWhatIsThere) {
  EXPECT_THAT(survey(store_, "", [](const Name&) { return true; }, {}).value(), IsEmpty());
  make_rich_tree(machine_.directory());
  machine_.save();
  put_file(machine_.directory() / "more", noise(700'000, 3));
  machine_.save();
  Machine other(store_, "other");
  put_file(other.directory() / "file", "content");
  other.save();

  const auto all = survey(store_, "", [](const Name&) { return true; }, {}).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, kName);
  EXPECT_EQ(all[0].generations, 2U);
  EXPECT_EQ(all[0].newest, counted(machine_.directory()));
  EXPECT_EQ(all[0].stored, listed("apps/demo/"));
  EXPECT_EQ(all[0].last_save, memory_.now());
  EXPECT_EQ(all[1].name.app, "other");
  EXPECT_EQ(all[1].stored, listed("apps/other/"));
  EXPECT_EQ(all[1].newest, (TreeSize{.entries = 1, .bytes = 7}));

  const auto one = survey(store_, "other", [](const Name&) { return true; }, {}).value();
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].stored, listed("apps/other/"));
  EXPECT_THAT(survey(store_, "", [](const Name& name) { return name.stack == "none"; }, {}).value(), IsEmpty());
}

TEST_F(Inspect, SurveyTellsWhatItCannotRead) {
  put_file(machine_.directory() / "file", "content");
  machine_.save();
  Machine other(store_, "other");
  put_file(other.directory() / "file", "content");
  other.save();
  store_.corrupt(layout().head(), 20);
  const auto all = survey(store_, "", [](const Name&) { return true; }, {}).value();
  ASSERT_EQ(all.size(), 2U);
  ASSERT_TRUE(all[0].error.has_value());
  EXPECT_EQ(all[0].error->kind, ErrorKind::corrupt);
  EXPECT_EQ(all[0].stored, listed("apps/demo/"));
  EXPECT_FALSE(all[1].error.has_value());
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(survey(store_, "", [](const Name&) { return true; }, {}).error().kind, ErrorKind::unavailable);
}

TEST_F(Inspect, LooksIntoTheGenerations) {
  make_plain_tree(machine_.directory(), 20, 100'000);
  machine_.save();
  put_file(machine_.directory() / "more", noise(1'500'000, 9));
  machine_.save();
  const ObjectName stray{head().epoch, ObjectKind::pack, "0123456789abcdef", 0};
  const std::vector<std::byte> bytes(1234);
  ASSERT_TRUE(memory_.put(layout().key(stray), std::span(bytes), store::Condition::none(), {}).has_value());

  const CacheDetails details = look_into(store_, layout(), {}).value();
  ASSERT_EQ(details.generations.size(), 2U);
  EXPECT_THAT(details.aside, IsEmpty());
  EXPECT_EQ(details.stored, listed("apps/demo/"));
  EXPECT_EQ(details.unnamed, (Stored{.objects = 1, .bytes = 1234}));
  EXPECT_EQ(details.trash, Stored());
  EXPECT_EQ(details.generations[0].tree, counted(machine_.directory()));
  EXPECT_EQ(details.generations[1].tree.entries, 20U + 7U);
  EXPECT_EQ(details.generations[1].tree.bytes, 2'000'000U);
  EXPECT_EQ(details.generations[0].objects, sum_of(0, {}));
  EXPECT_EQ(details.generations[1].objects, sum_of(1, {}));
  EXPECT_EQ(details.generations[0].own, sum_of(0, {1}).bytes);
  EXPECT_EQ(details.generations[1].own, sum_of(1, {0}).bytes);
  EXPECT_GT(details.generations[0].own, 1'500'000U);
}

TEST_F(Inspect, LooksIntoPinsAsideTrashAndBad) {
  std::vector<std::string> saved;
  for (int i = 0; i < 5; ++i) {
    put_file(machine_.directory() / "file", noise(1'200'000, 10 + static_cast<unsigned>(i)));
    saved.push_back(machine_.save().generation);
  }
  ASSERT_TRUE(
      update_head(store_, layout(),
                  [&](const Seen& seen) -> Result<std::optional<Head>> { return TRY(rolled_back(seen, saved[3])); }, {})
          .has_value());
  ASSERT_TRUE(update_head(store_, layout(),
                          [&](const Seen& seen) -> Result<std::optional<Head>> { return TRY(pinned(seen, saved[3])); },
                          {})
                  .has_value());
  const CacheDetails details = look_into(store_, layout(), {}).value();
  ASSERT_EQ(details.generations.size(), 2U);
  EXPECT_TRUE(details.generations[0].pinned);
  EXPECT_FALSE(details.generations[1].pinned);
  ASSERT_EQ(details.aside.size(), 1U);
  EXPECT_EQ(details.aside[0].generation.id, saved[4]);
  EXPECT_GT(details.trash.objects, 0U);
  EXPECT_EQ(details.trash.objects, head().trash.size());
  EXPECT_EQ(details.unnamed, Stored());
  EXPECT_EQ(details.stored, listed("apps/demo/"));

  store_.hide(layout().key({head().epoch, ObjectKind::manifest, saved[4], 0}));
  const CacheDetails damaged = look_into(store_, layout(), {}).value();
  EXPECT_TRUE(damaged.aside[0].error.has_value());
  EXPECT_FALSE(damaged.generations[0].error.has_value());
}

class UsageOf : public Inspect {
 protected:
  static const Usage* find(const Usage& usage, const std::string& path) {
    if (usage.path == path) return &usage;
    for (const Usage& below : usage.below) {
      if (const Usage* found = find(below, path)) return found;
    }
    return nullptr;
  }
};

TEST_F(UsageOf, EachSumIsWhatAWalkFinds) {
  make_rich_tree(machine_.directory());
  machine_.save();
  const Manifest manifest = opened().manifest;
  const Usage whole = usage(manifest, "", 100).value();
  const TreeSize size = counted(machine_.directory());
  EXPECT_EQ(whole.bytes, size.bytes);
  EXPECT_EQ(whole.entries, size.entries);
  for (const char* directory : {"a", "go", "go/pkg", "go/pkg/mod", "empty-dir", "empty-dir/nested"}) {
    const Usage* found = find(whole, directory);
    ASSERT_NE(found, nullptr) << directory;
    EXPECT_EQ(found->kind, EntryKind::directory);
    // Itself is one more than what a walk below it finds; "a/twin" has its content elsewhere: at "a/twin", the first
    // of its names in bytewise order.
    EXPECT_EQ(found->entries, counted(machine_.directory() / directory).entries + 1) << directory;
    EXPECT_EQ(found->bytes, counted(machine_.directory() / directory).bytes) << directory;
    EXPECT_EQ(usage(manifest, directory, 100).value(), *found);
  }
  EXPECT_EQ(find(whole, "a-b")->bytes, fs::file_size(machine_.directory() / "a-b"));
}

TEST_F(UsageOf, TheLargestComesFirstAndDepthCutsTheTreeNotTheSums) {
  for (const auto& [path, bytes] : std::map<std::string, std::size_t>{
           {"big/deep/deeper/file", 900}, {"big/small", 10}, {"middle", 500}, {"zero", 0}, {"also", 500}}) {
    put_file(machine_.directory() / path, std::string(bytes, 'x'));
  }
  machine_.save();
  const Manifest manifest = opened().manifest;
  const auto names = [](const Usage& usage) {
    std::vector<std::string> paths;
    for (const Usage& below : usage.below) paths.push_back(below.path);
    return paths;
  };
  const Usage one = usage(manifest, "", 1).value();
  EXPECT_EQ(one.bytes, 1910U);
  EXPECT_THAT(names(one), ElementsAre("big", "also", "middle", "zero"));
  EXPECT_EQ(one.below[0].bytes, 910U);
  EXPECT_EQ(one.below[0].entries, 5U);
  EXPECT_THAT(one.below[0].below, IsEmpty());
  const Usage none = usage(manifest, ".", 0).value();
  EXPECT_EQ(none.bytes, 1910U);
  EXPECT_THAT(none.below, IsEmpty());
  const Usage big = usage(manifest, "./big/", 1).value();
  EXPECT_EQ(big.path, "big");
  EXPECT_THAT(names(big), ElementsAre("big/deep", "big/small"));
  EXPECT_EQ(usage(manifest, "middle", 3).value().bytes, 500U);
  EXPECT_EQ(usage(manifest, "mid", 3).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hearth::cache::testing
