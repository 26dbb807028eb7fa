// What a save leaves behind when it is cut short, raced or refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>

#include "cache/engine_support.h"
#include "cache/generations/collect.h"
#include "store/local_store.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FaultyStore;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(SaveFault, ADeadStoreFailsTheSaveAndKeepsTheCache) {
  store::MemoryStore memory;
  FaultyStore store(memory);
  Machine machine(store);
  make_plain_tree(machine.directory(), 40, 50'000);
  const Picture before = picture(machine.directory());
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  put_file(machine.directory() / "more", "x");
  store.refuse(support::Verb::put, ErrorKind::unavailable);
  const SaveReport report = machine.save();
  EXPECT_EQ(report.outcome, SaveOutcome::failed);
  EXPECT_EQ(report.warnings.size(), 1);
  EXPECT_EQ(restored_picture(memory), before);
  store.forgive();
  EXPECT_EQ(machine.save().outcome, SaveOutcome::saved);
}

TEST(SaveFault, AStoppedSaveIsLate) {
  store::MemoryStore memory;
  FaultyStore store(memory);
  Machine machine(store);
  make_plain_tree(machine.directory(), 40, 50'000);
  std::stop_source stop;
  store.before_each([&](const support::Operation& operation) {
    if (operation.key.contains("/pack/")) {
      store.stall();
      stop.request_stop();
    }
  });
  EXPECT_EQ(machine.save(stop.get_token()).outcome, SaveOutcome::late);
  EXPECT_EQ(Machine(memory).restore().outcome, RestoreOutcome::miss);
}

TEST(SaveFault, APurgedCacheDoesNotComeBack) {
  store::MemoryStore memory;
  const Layout layout = Layout::of({"demo", "heroku-24", "amd64"}).value();
  Machine first(memory);
  make_plain_tree(first.directory(), 5, 1000);
  ASSERT_EQ(first.save().outcome, SaveOutcome::saved);
  Machine second(memory);
  ASSERT_EQ(second.restore().outcome, RestoreOutcome::hit);
  ASSERT_TRUE(purge(memory, layout, {}).has_value());
  put_file(second.directory() / "more", "x");
  EXPECT_EQ(second.save().outcome, SaveOutcome::superseded);
  EXPECT_EQ(Machine(memory).restore().outcome, RestoreOutcome::miss);
}

TEST(SaveFault, APurgeDuringTheSaveWins) {
  store::MemoryStore memory;
  FaultyStore store(memory);
  const Layout layout = Layout::of({"demo", "heroku-24", "amd64"}).value();
  Machine machine(store);
  make_plain_tree(machine.directory(), 40, 50'000);
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  put_file(machine.directory() / "more", noise(50'000, 5));
  bool purged = false;
  store.before_each([&](const support::Operation& operation) {
    if (operation.verb == support::Verb::put && !std::exchange(purged, true)) {
      ASSERT_TRUE(purge(memory, layout, {}).has_value());
    }
  });
  EXPECT_EQ(machine.save().outcome, SaveOutcome::superseded);
  EXPECT_EQ(Machine(memory).restore().outcome, RestoreOutcome::miss);
}

TEST(SaveFault, SaversAtTheSameTimeLeaveOneOfTheirStates) {
  store::MemoryStore memory;
  constexpr int kSavers = 4;
  std::vector<std::unique_ptr<Machine>> machines;
  std::vector<Picture> pictures;
  for (int i = 0; i < kSavers; ++i) {
    machines.push_back(std::make_unique<Machine>(memory));
    make_plain_tree(machines.back()->directory(), 30, 50'000);
    put_file(machines.back()->directory() / "own", noise(20'000, static_cast<unsigned>(100 + i)));
    pictures.push_back(picture(machines.back()->directory()));
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<SaveOutcome> outcomes(kSavers);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < kSavers; ++i) {
        threads.emplace_back([&, i] { outcomes[i] = machines[i]->save().outcome; });
      }
    }
    EXPECT_THAT(outcomes, ::testing::Each(AnyOf(SaveOutcome::saved, SaveOutcome::superseded, SaveOutcome::unchanged)));
    EXPECT_THAT(pictures, ::testing::Contains(restored_picture(memory)));
  }
}

TEST(SaveFault, AKilledSaveLeavesTheOldCacheOrTheNew) {
  const util::TempDir root = util::TempDir::create(fs::temp_directory_path(), "hearth-store-").value();
  const auto open = [&] { return store::LocalStore::open(root.path() / "s").value(); };
  const auto store = open();
  Machine machine(*store);
  make_plain_tree(machine.directory(), 30, 100'000);
  Picture old = picture(machine.directory());
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  for (unsigned round = 0; round < 6; ++round) {
    make_plain_tree(machine.directory() / "changing", 10, 200'000, round + 10);
    const Picture next = picture(machine.directory());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      machine.save();
      ::_exit(0);
    }
    // Somewhere in the middle: when it comes does not matter, since every moment must be good.
    std::this_thread::sleep_for(std::chrono::milliseconds(15) * round);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const Picture got = restored_picture(*store);
    EXPECT_TRUE(got == old || got == next);
    // A save that was not killed.
    EXPECT_THAT(machine.save().outcome, AnyOf(SaveOutcome::saved, SaveOutcome::unchanged));
    EXPECT_EQ(restored_picture(*store), next);
    old = next;
  }
}

// Hard links are told by the path of the file that they are names of, and that is a long one.
TEST(SaveFault, ADirectoryWhoseListWouldBeTooLargeUploadsNothing) {
  store::MemoryStore memory;
  Machine machine(memory);
  fs::path deep = machine.directory();
  for (int level = 0; level < 15; ++level) deep /= std::string(250, 'd');
  fs::create_directories(deep);
  const util::Fd directory = util::open_file(deep, util::kDirectoryFlags).value();
  for (int number = 0; number < 3; ++number) {
    const std::string file = fmt::format("{}", number);
    put_file(deep / file, noise(600'000, static_cast<unsigned>(number)));
    for (int link = 0; link < 50'000; ++link) {
      const std::string name = fmt::format("{}-{}", number, link);
      ASSERT_EQ(::linkat(directory.get(), file.c_str(), directory.get(), name.c_str(), 0), 0);
    }
  }
  const SaveReport report = machine.save();
  EXPECT_EQ(report.outcome, SaveOutcome::failed);
  EXPECT_THAT(report.warnings, ElementsAre(HasSubstr("has 150018 entries")));
  EXPECT_THAT(all_objects_of(memory), IsEmpty());
}

TEST(SaveFault, UnreadableFilesAreLeftOut) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  store::MemoryStore memory;
  Machine machine(memory);
  put_file(machine.directory() / "readable", "x");
  put_file(machine.directory() / "secret", "y");
  fs::permissions(machine.directory() / "secret", fs::perms::none);
  const SaveReport report = machine.save();
  EXPECT_EQ(report.outcome, SaveOutcome::saved);
  EXPECT_EQ(report.entries, 1);
  EXPECT_EQ(report.warnings.size(), 1);
}

TEST(SaveFault, AFileThatIsBeingWrittenEndsWholeOrLeftOut) {
  store::MemoryStore memory;
  Machine machine(memory);
  make_plain_tree(machine.directory(), 40, 50'000);
  const fs::path busy = machine.directory() / "busy";
  // Always one letter throughout; a mixture was never its content.
  std::jthread writer([&](const std::stop_token& stop) {
    for (char letter = 'a'; !stop.stop_requested(); letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1)) {
      const fs::path draft = machine.place() / "draft";
      put_file(draft, std::string(3 << 20, letter));
      fs::rename(draft, busy);
    }
  });
  for (int round = 0; round < 3; ++round) {
    const SaveReport report = machine.save();
    EXPECT_THAT(report.outcome, AnyOf(SaveOutcome::saved, SaveOutcome::unchanged));
    Machine other(memory);
    other.restore();
    if (!fs::exists(other.directory() / "busy")) continue;
    const std::string content = util::read_file(other.directory() / "busy").value();
    EXPECT_EQ(std::set<char>(content.begin(), content.end()).size(), 1);
    EXPECT_EQ(content.size(), 3 << 20);
  }
}

}  // namespace
}  // namespace hearth::cache::testing
