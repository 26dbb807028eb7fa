// What a restore does when the store or this machine fails it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "cache/engine_support.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FaultyStore;
using support::Verb;
using ::testing::IsEmpty;
using ::testing::Not;

// Two generations; the second shares packs with the first, and has one of its own.
class RestoreFault : public ::testing::Test {
 protected:
  void SetUp() override {
    Machine machine(memory_);
    make_plain_tree(machine.directory(), 60, 40'000);
    old_ = picture(machine.directory());
    ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
    put_file(machine.directory() / "dir1/new", noise(50'000, 1234));
    fs::remove(machine.directory() / "dir2/file2");
    new_ = picture(machine.directory());
    ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  }

  static bool absent_or_empty(const fs::path& directory) { return !fs::exists(directory) || fs::is_empty(directory); }
  // Nothing but the directory and the index lies there.
  static void expect_tidy(const Machine& machine) {
    for (const fs::directory_entry& entry : fs::directory_iterator(machine.place())) {
      EXPECT_TRUE(entry.path() == machine.directory() || entry.path() == machine.index()) << entry.path();
    }
  }

  store::MemoryStore memory_;
  FaultyStore store_{memory_};
  Picture old_;
  Picture new_;
};

TEST_F(RestoreFault, DamageGivesTheOldGenerationOrNothingAndHealsWithTheNextSave) {
  for (const store::Key& key : objects_of(memory_)) {
    const std::uint64_t size = memory_.stat(key, {})->size;
    for (const std::uint64_t offset : {std::uint64_t{3}, size / 3, size / 2, size - 5}) {
      SCOPED_TRACE(fmt::format("{} at {} of {}", key.text(), offset, size));
      store_.heal();
      store_.corrupt(key, offset);
      Machine machine(store_);
      const RestoreReport report = machine.restore();
      const Picture got = picture(machine.directory());
      if (report.outcome == RestoreOutcome::hit) {
        EXPECT_EQ(got, new_);
      } else if (report.outcome == RestoreOutcome::fallback) {
        EXPECT_EQ(got, old_);
        EXPECT_THAT(report.warnings, Not(IsEmpty()));
      } else {
        EXPECT_EQ(report.outcome, RestoreOutcome::damaged);
        EXPECT_THAT(got, IsEmpty());
        EXPECT_THAT(report.warnings, Not(IsEmpty()));
      }
      expect_tidy(machine);
    }
  }
}

// One round for each object and kind of damage, since a healing save changes the store.
void damage_and_heal(const std::function<void(FaultyStore&, const store::Key&)>& damage) {
  std::size_t objects = 1;
  for (std::size_t victim = 0; victim < objects; ++victim) {
    store::MemoryStore memory;
    FaultyStore store(memory);
    Machine first(memory);
    make_plain_tree(first.directory(), 60, 40'000);
    ASSERT_EQ(first.save().outcome, SaveOutcome::saved);
    put_file(first.directory() / "dir1/new", noise(50'000, 1234));
    ASSERT_EQ(first.save().outcome, SaveOutcome::saved);
    const std::vector<store::Key> keys = objects_of(memory);
    objects = keys.size();
    damage(store, keys[victim]);
    SCOPED_TRACE(keys[victim].text());

    Machine second(store);
    const RestoreReport report = second.restore();
    // The build fills the cache again.
    wipe(second.directory());
    make_plain_tree(second.directory(), 60, 40'000);
    put_file(second.directory() / "dir1/new", noise(50'000, 1234));
    const Picture after = picture(second.directory());
    const SaveReport saved = second.save();
    EXPECT_EQ(saved.outcome, SaveOutcome::saved) << ::testing::PrintToString(saved.warnings);
    Machine third(store);
    const RestoreReport healed = third.restore();
    EXPECT_EQ(healed.outcome, RestoreOutcome::hit) << name(report.outcome);
    EXPECT_EQ(picture(third.directory()), after);
  }
}

TEST(RestoreHealing, AfterDamageInTheMiddle) {
  damage_and_heal([](FaultyStore& store, const store::Key& key) { store.corrupt(key, store.stat(key, {})->size / 2); });
}

TEST(RestoreHealing, AfterDamageAtTheEnd) {
  damage_and_heal([](FaultyStore& store, const store::Key& key) { store.corrupt(key, store.stat(key, {})->size - 7); });
}

TEST(RestoreHealing, AfterTruncation) {
  damage_and_heal(
      [](FaultyStore& store, const store::Key& key) { store.truncate(key, store.stat(key, {})->size / 2); });
}

TEST(RestoreHealing, AfterLoss) {
  damage_and_heal([](FaultyStore& store, const store::Key& key) { store.hide(key); });
}

TEST_F(RestoreFault, ACorruptHeadIsAColdStartThatHeals) {
  for (const store::Key& key : all_objects_of(memory_)) {
    if (key.text().contains("/HEAD.")) store_.corrupt(key, 40);
  }
  Machine machine(store_);
  EXPECT_EQ(machine.restore().outcome, RestoreOutcome::damaged);
  put_file(machine.directory() / "file", "new");
  store_.heal();
  for (const store::Key& key : all_objects_of(memory_)) {
    if (!key.text().contains("/HEAD.")) continue;
    const std::string garbage = "{\"format\":";
    ASSERT_TRUE(memory_.put(key, std::as_bytes(std::span(garbage)), store::Condition::none(), {}).has_value());
  }
  EXPECT_EQ(machine.restore_anew().outcome, RestoreOutcome::damaged);
  put_file(machine.directory() / "file", "new");
  EXPECT_EQ(machine.save().outcome, SaveOutcome::saved);
  EXPECT_EQ(Machine(store_).restore().outcome, RestoreOutcome::hit);
}

TEST_F(RestoreFault, ADeadStoreIsUnavailable) {
  store_.die_after(0, support::LastMutation::lost);
  store_.refuse(Verb::get, ErrorKind::unavailable);
  Machine machine(store_);
  const RestoreReport report = machine.restore();
  EXPECT_EQ(report.outcome, RestoreOutcome::unavailable);
  EXPECT_THAT(report.warnings, Not(IsEmpty()));
  EXPECT_TRUE(absent_or_empty(machine.directory()));
  expect_tidy(machine);
}

TEST_F(RestoreFault, ABucketThatGoesUnderWayIsUnavailableAndNoDamage) {
  store_.before_each([&](const support::Operation& operation) {
    if (!operation.key.contains("/pack/")) return;
    for (const Verb verb : {Verb::get, Verb::stat}) store_.refuse(verb, ErrorKind::invalid);
  });
  Machine machine(store_);
  EXPECT_EQ(machine.restore().outcome, RestoreOutcome::unavailable);
  EXPECT_TRUE(absent_or_empty(machine.directory()));
  expect_tidy(machine);
}

TEST_F(RestoreFault, AStoreThatStallsIsLateAsSoonAsItIsStopped) {
  int gets = 0;
  store_.before_each([&](const support::Operation& operation) {
    // HEAD and the manifests arrive, content does not.
    if (operation.key.contains("/pack/") && ++gets == 1) store_.stall();
  });
  std::stop_source stop;
  Machine machine(store_);
  RestoreReport report;
  std::thread restorer([&] { report = machine.restore({}, stop.get_token()); });
  while (!fs::exists(machine.place()) || fs::is_empty(machine.place())) std::this_thread::yield();
  stop.request_stop();
  restorer.join();
  EXPECT_EQ(report.outcome, RestoreOutcome::late);
  EXPECT_TRUE(absent_or_empty(machine.directory()));
  expect_tidy(machine);
}

TEST_F(RestoreFault, AnObjectThatWasCollectedMeansThatHeadHasMovedOn) {
  // The first manifest that is asked for has just been collected: by then HEAD names other ones.
  bool collected = false;
  store_.before_each([&](const support::Operation& operation) {
    if (collected || !operation.key.contains("/manifest/")) return;
    collected = true;
    Machine other(memory_);
    other.restore();
    put_file(other.directory() / "later", noise(2 << 20, 9));
    ASSERT_EQ(other.save().outcome, SaveOutcome::saved);
    new_ = picture(other.directory());
    ASSERT_TRUE(memory_.remove(store::Key::parse(operation.key).value(), {}).has_value());
  });
  Machine machine(store_);
  EXPECT_NE(machine.restore().outcome, RestoreOutcome::unavailable);
  const Picture got = picture(machine.directory());
  EXPECT_TRUE(got == new_ || got == old_ || got.empty());
}

TEST_F(RestoreFault, ADirectoryThatIsNotEmptyIsLeftAlone) {
  Machine machine(store_);
  put_file(machine.directory() / "precious", "x");
  const Picture before = picture(machine.directory());
  EXPECT_EQ(machine.restore().outcome, RestoreOutcome::unavailable);
  EXPECT_EQ(picture(machine.directory()), before);
  expect_tidy(machine);
}

TEST_F(RestoreFault, AFullDiskIsAColdStart) {
  Machine machine(store_);
  const fs::path small = machine.place() / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "only root can mount a small disk";
  const RestoreReport report =
      cache::restore(store_, {"demo", "heroku-24", "amd64"}, small / "cache", machine.index(), {}, {});
  EXPECT_EQ(report.outcome, RestoreOutcome::unavailable);
  EXPECT_THAT(report.warnings, Not(IsEmpty()));
  EXPECT_TRUE(fs::is_empty(small));
  ASSERT_EQ(::umount(small.c_str()), 0);
}

}  // namespace
}  // namespace hearth::cache::testing
