// What a machine has on its disk when it is switched off, or its process killed, at any call that changes a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "cache/engine_support.h"
#include "cache/operator/verify.h"
#include "store/local_store.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "support/file_calls.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FileCall;
using ::testing::AnyOf;

constexpr int kKilled = 99;

// Ends the process before the call that changes something and has this number, from 0 on.
class Killer : public support::FileCallListener {
 public:
  Killer(const fs::path& root, int call) : FileCallListener(root), left_(call) {}
  void before(const FileCall& call) override {
    if (changes(call) && left_-- == 0) ::_exit(kKilled);
  }

 private:
  int left_;
};

// Does `work` in a child that is killed there; true if it was, false if it had ended before.
bool killed_at(int call, const fs::path& root, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Killer killer(root, call);
    work();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kKilled)) << status;
  return WIFEXITED(status) && WEXITSTATUS(status) == kKilled;
}

bool absent_or_empty(const fs::path& directory) {
  return !fs::exists(directory) || fs::is_empty(directory);
}

void expect_tidy(const Machine& machine) {
  for (const fs::directory_entry& entry : fs::directory_iterator(machine.place())) {
    EXPECT_TRUE(entry.path() == machine.directory() || entry.path() == machine.index()) << entry.path();
  }
}

// Entries of each kind, some of which the second state has otherwise, or not.
void make_tree(const fs::path& directory) {
  put_file(directory / "same/file", "same");
  put_file(directory / "same/other", "other");
  put_file(directory / "changed", "before");
  put_file(directory / "goes/deep/file", "goes");
  fs::create_hard_link(directory / "changed", directory / "twin");
  fs::create_symlink("same/file", directory / "link");
  put_file(directory / "large", noise(1'100'000, 1));
}

void change_tree(const fs::path& directory) {
  fs::remove(directory / "changed");
  put_file(directory / "changed", "afterwards");
  fs::remove_all(directory / "goes");
  fs::remove(directory / "link");
  put_file(directory / "link/file", "a directory now");
  put_file(directory / "new", noise(5000, 2));
  fs::permissions(directory / "same/other", fs::perms(0600));
}

// A restore of the second state over the first one, on a machine that may be killed or whose store may fail.
class RestoreOverCrash : public ::testing::Test {
 protected:
  RestoreOverCrash() {
    make_tree(builder_.directory());
    EXPECT_EQ(builder_.save().outcome, SaveOutcome::saved);
    first_ = Machine(memory_).restore().generation;
    old_ = picture(builder_.directory());
  }

  // A machine that holds the first state, while the store has the second one.
  std::unique_ptr<Machine> follower(store::ObjectStore& store) {
    auto machine = std::make_unique<Machine>(store);
    EXPECT_EQ(machine->restore().outcome, RestoreOutcome::hit);
    return machine;
  }

  void save_second() {
    change_tree(builder_.directory());
    new_ = picture(builder_.directory());
    EXPECT_EQ(builder_.save().outcome, SaveOutcome::saved);
  }

  void expect_old_new_or_nothing(const Machine& machine) const {
    if (absent_or_empty(machine.directory())) return;
    EXPECT_THAT(picture(machine.directory()), AnyOf(old_, new_));
  }

  void expect_next_restore(Machine& machine) const {
    EXPECT_EQ(machine.restore().outcome, RestoreOutcome::hit);
    EXPECT_EQ(picture(machine.directory()), new_);
    expect_tidy(machine);
    const SaveReport save = machine.save();
    EXPECT_EQ(save.outcome, SaveOutcome::unchanged);
  }

  store::MemoryStore memory_;
  Machine builder_{memory_};
  std::string first_;
  Picture old_;
  Picture new_;
};

TEST_F(RestoreOverCrash, KilledAtAnyCall) {
  // Followers are made while the first state is the newest.
  constexpr int kMost = 120;
  std::vector<std::unique_ptr<Machine>> followers;
  for (int i = 0; i < kMost; ++i) followers.push_back(follower(memory_));
  save_second();
  int call = 0;
  for (bool killed = true; killed; ++call) {
    ASSERT_LT(call, kMost);
    SCOPED_TRACE(call);
    Machine& machine = *followers[static_cast<std::size_t>(call)];
    killed = killed_at(call, machine.place(), [&] { machine.restore(restoring_with(1)); });
    if (!killed) {
      EXPECT_EQ(picture(machine.directory()), new_);
    }
    expect_old_new_or_nothing(machine);
    expect_next_restore(machine);
    if (HasFailure()) break;
  }
  EXPECT_GT(call, 20);
}

TEST_F(RestoreOverCrash, AStoreThatFailsAtAnyRead) {
  constexpr int kMost = 40;
  support::FaultyStore faulty(memory_);
  std::vector<std::unique_ptr<Machine>> followers;
  for (int i = 0; i < kMost; ++i) followers.push_back(follower(faulty));
  save_second();
  int left = std::numeric_limits<int>::max();
  bool failed = false;
  faulty.before_each([&](const support::Operation&) {
    if (left-- > 0) return;
    failed = true;
    faulty.refuse(support::Verb::get, ErrorKind::unavailable);
    faulty.refuse(support::Verb::stat, ErrorKind::unavailable);
  });
  int read = 0;
  do {
    ASSERT_LT(read, kMost);
    SCOPED_TRACE(read);
    Machine& machine = *followers[static_cast<std::size_t>(read)];
    left = read;
    failed = false;
    const RestoreReport report = machine.restore(restoring_with(1));
    EXPECT_EQ(report.outcome, failed ? RestoreOutcome::unavailable : RestoreOutcome::hit);
    if (failed) {
      EXPECT_TRUE(absent_or_empty(machine.directory()));
    }
    expect_tidy(machine);
    left = std::numeric_limits<int>::max();
    faulty.forgive();
    expect_next_restore(machine);
    ++read;
  } while (failed && !HasFailure());
  EXPECT_GT(read, 3);
}

// Of the directory, its index and its store at the same time.
TEST(SaveCrash, KilledAtAnyCall) {
  const Name name{.app = "demo", .stack = "heroku-24", .arch = "amd64"};
  constexpr int kMost = 400;
  int call = 0;
  for (bool killed = true; killed; ++call) {
    ASSERT_LT(call, kMost);
    SCOPED_TRACE(call);
    const util::TempDir place = util::TempDir::create(fs::temp_directory_path(), "hearth-killed-").value();
    const auto open = [&] { return store::LocalStore::open(place.path() / "store").value(); };
    const auto store = open();
    const fs::path directory = place.path() / "machine/cache";
    const fs::path index = place.path() / "machine/index";
    const auto save = [&] { return cache::save(*open(), name, directory, index, saving_with(1), {}); };
    make_tree(directory);
    const Picture old = picture(directory);
    ASSERT_EQ(save().outcome, SaveOutcome::saved);
    change_tree(directory);
    const Picture next = picture(directory);
    killed = killed_at(call, place.path(), [&] { save(); });
    const Picture found = restored_picture(*store);
    if (killed) {
      EXPECT_THAT(found, AnyOf(old, next));
    } else {
      EXPECT_EQ(found, next);
    }
    EXPECT_EQ(verify(*store, name, 1, {}).outcome, VerifyOutcome::sound);
    EXPECT_THAT(save().outcome, AnyOf(SaveOutcome::saved, SaveOutcome::unchanged));
    if (found != next) {
      EXPECT_EQ(restored_picture(*store), next);
    }
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(call, 20);
}

}  // namespace
}  // namespace hearth::cache::testing
