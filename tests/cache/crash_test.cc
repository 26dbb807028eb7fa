// Every operation, cut off at every one of its steps in the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/crash.h"
#include "cache/generations/collect.h"
#include "cache/generations/commit.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

// Too much to lie in the manifest; what comes with it and after it lies in packs.
void put_base(const Crashed& crashed) {
  static const std::string content = noise(1'100'000, 99);
  if (fs::exists(crashed.machine.directory() / "base")) return;
  put_file(crashed.machine.directory() / "base", content);
}

void put_more(const Crashed& crashed, unsigned number) {
  put_file(crashed.machine.directory() / fmt::format("file{}", number), noise(20'000, number));
}

// Generations with a pack each, oldest first.
std::vector<Picture> save_three(Crashed& crashed) {
  std::vector<Picture> pictures;
  put_base(crashed);
  for (unsigned i = 0; i < 3; ++i) {
    put_more(crashed, i);
    pictures.push_back(picture(crashed.machine.directory()));
    crashed.save();
  }
  return pictures;
}

// An object that was uploaded for a save that never committed.
void put_orphan(Crashed& crashed, const std::string& epoch) {
  const std::string content = "of no use";
  const ObjectName orphan{epoch, ObjectKind::pack, new_id(), 0};
  ASSERT_TRUE(
      crashed.memory.put(crashed.layout.key(orphan), std::as_bytes(std::span(content)), store::Condition::none(), {}));
}

std::set<std::string> epochs_there(Crashed& crashed) {
  std::set<std::string> epochs;
  for (const store::Key& key : objects_of(crashed.memory)) epochs.insert(crashed.layout.parse(key)->epoch);
  return epochs;
}

// The first save, later ones, and, with a day between them, their collection and their sweep.
TEST(Crash, OfSaves) {
  const auto operate = [](Crashed& crashed) {
    crashed.possible = {restored_picture(crashed.memory)};
    for (unsigned day = 0; day < 4; ++day) {
      make_plain_tree(crashed.machine.directory() / fmt::format("day{}", day % 2), 3, 20'000, day);
      crashed.possible.push_back(picture(crashed.machine.directory()));
      const SaveOutcome outcome = crashed.machine.save().outcome;
      if (outcome != SaveOutcome::saved && outcome != SaveOutcome::unchanged) return false;
      crashed.possible.erase(crashed.possible.begin());
      crashed.memory.advance(30h);
    }
    return true;
  };
  die_at_every_mutation({.prepare = {}, .operate = operate, .check = {}}, 12);
}

// The base's pack is half dead: the save writes what lives of it anew, and names it no longer.
TEST(Crash, OfASaveThatCompacts) {
  std::string worn;
  const auto prepare = [&](Crashed& crashed) {
    const fs::path& directory = crashed.machine.directory();
    put_base(crashed);
    put_file(directory / "changing", noise(500'000, 1));
    crashed.save();
    worn = crashed.head().generations.front().id;
    put_file(directory / "changing", noise(500'000, 2));
    crashed.save();
    crashed.possible = {picture(crashed.machine.directory())};
    put_file(crashed.machine.directory() / "more", "more");
    crashed.possible.push_back(picture(crashed.machine.directory()));
  };
  const auto operate = [](Crashed& crashed) {
    const SaveOutcome outcome = crashed.machine.save().outcome;
    return outcome == SaveOutcome::saved || outcome == SaveOutcome::unchanged;
  };
  const auto check = [&](Crashed& crashed, bool successful) {
    const auto names_worn = [&](const Generation& generation) {
      return std::ranges::find(generation.packs, worn, &PackName::save) != generation.packs.end();
    };
    const Head head = crashed.head();
    EXPECT_TRUE(names_worn(head.generations.back()));
    if (successful) {
      EXPECT_FALSE(names_worn(head.generations.front()));
    }
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 3);
}

TEST(Crash, OfASweep) {
  const auto prepare = [](Crashed& crashed) {
    save_three(crashed);
    for (int i = 0; i < 3; ++i) put_orphan(crashed, crashed.head().epoch);
    put_orphan(crashed, new_id());
    crashed.memory.advance(25h);
    put_more(crashed, 3);
    crashed.save();  // sweeps: all orphans go to the trash
    for (int i = 0; i < 2; ++i) put_orphan(crashed, crashed.head().epoch);
    crashed.memory.advance(25h);
    crashed.possible = {picture(crashed.machine.directory())};
    EXPECT_GE(crashed.head().trash.size(), 4U);
  };
  const auto operate = [](Crashed& crashed) { return sweep(crashed.store, crashed.layout, {}).has_value(); };
  const auto check = [](Crashed& crashed, bool) {
    // Whatever was done of it: two more of them, and the time that is to pass, leave what HEAD names.
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(sweep(crashed.memory, crashed.layout, {}));
      crashed.memory.advance(2h);
    }
    EXPECT_TRUE(sweep(crashed.memory, crashed.layout, {}));
    const Head head = crashed.head();
    EXPECT_THAT(head.trash, IsEmpty());
    std::set<std::string> named;
    for (const Generation& generation : head.generations) {
      for (const ObjectName& object : objects_of(head, generation)) named.insert(crashed.layout.key(object).text());
    }
    for (const store::Key& key : objects_of(crashed.memory)) EXPECT_THAT(named, Contains(key.text()));
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 5);
}

TEST(Crash, OfAPurge) {
  std::string epoch;
  const auto prepare = [&](Crashed& crashed) {
    crashed.possible = {save_three(crashed).back(), Picture()};
    epoch = crashed.head().epoch;
    put_orphan(crashed, epoch);
  };
  const auto operate = [](Crashed& crashed) { return purge(crashed.store, crashed.layout, {}).has_value(); };
  const auto check = [&](Crashed& crashed, bool successful) {
    const bool purged = crashed.head().epoch != epoch;
    if (successful) {
      EXPECT_TRUE(purged);
      EXPECT_THAT(objects_of(crashed.memory), IsEmpty());
    }
    // The machine knows the cache as it was; where that is purged, it comes back neither with its save nor later.
    put_file(crashed.machine.directory() / "more", "x");
    EXPECT_EQ(crashed.machine.save().outcome, purged ? SaveOutcome::superseded : SaveOutcome::saved);
    if (!purged) return;
    EXPECT_THAT(restored_picture(crashed.memory), IsEmpty());
    // Nor does a sweep need another purge to clear up.
    crashed.memory.advance(25h);
    EXPECT_TRUE(sweep(crashed.memory, crashed.layout, {}));
    crashed.memory.advance(2h);
    EXPECT_TRUE(sweep(crashed.memory, crashed.layout, {}));
    EXPECT_THAT(epochs_there(crashed), Not(Contains(epoch)));
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 7);
}

TEST(Crash, OfARollback) {
  std::string target;
  std::vector<std::string> newer;
  const auto prepare = [&](Crashed& crashed) {
    const std::vector<Picture> pictures = save_three(crashed);
    crashed.possible = {pictures.back(), pictures.front()};
    const Head head = crashed.head();
    target = head.generations.back().id;
    newer = {head.generations[0].id, head.generations[1].id};
  };
  const auto operate = [&](Crashed& crashed) {
    const Transition back = [&](const Seen& seen) -> Result<std::optional<Head>> {
      return TRY(rolled_back(seen, target));
    };
    return update_head(crashed.store, crashed.layout, back, {}).has_value();
  };
  const auto check = [&](Crashed& crashed, bool successful) {
    const Head head = crashed.head();
    const bool rolled = head.generations.front().id == target;
    EXPECT_TRUE(rolled || !successful);
    if (!rolled) return;
    // What was rolled back is kept for a look; what builds on it is dropped.
    for (const std::string& id : newer) EXPECT_NE(std::ranges::find(head.aside, id, &Generation::id), head.aside.end());
    put_file(crashed.machine.directory() / "more", "x");
    EXPECT_EQ(crashed.machine.save().outcome, SaveOutcome::superseded);
    EXPECT_EQ(crashed.head().generations.size(), 1U);
  };
  die_at_every_mutation({.prepare = prepare, .operate = operate, .check = check}, 1);
}

}  // namespace
}  // namespace hearth::cache::testing
