// A save that is stopped (SIGSTOP) at any of its steps, while others purge, roll back or collect, and then goes on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "cache/engine_support.h"
#include "cache/format/bytes.h"
#include "cache/generations/collect.h"
#include "cache/generations/commit.h"
#include "cache/operator/verify.h"
#include "store/local_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::IsEmpty;

// A child process that saves, and stops before the operation of its store that has this number, from 0 on.
class StoppedSave {
 public:
  StoppedSave(Machine& machine, support::FaultyStore& store, int operation) {
    child_ = ::fork();
    if (child_ == 0) {
      store.before_each([&](const support::Operation&) {
        if (operation-- == 0) ::raise(SIGSTOP);
      });
      ::_exit(static_cast<int>(machine.save().outcome));
    }
    EXPECT_EQ(::waitpid(child_, &status_, WUNTRACED), child_);
  }

  // False: it has ended before.
  bool is_stopped() const { return WIFSTOPPED(status_); }

  // Lets it go on; how it ended.
  SaveOutcome go_on() {
    if (is_stopped()) {
      EXPECT_EQ(::kill(child_, SIGCONT), 0);
      EXPECT_EQ(::waitpid(child_, &status_, 0), child_);
    }
    EXPECT_TRUE(WIFEXITED(status_)) << status_;
    return static_cast<SaveOutcome>(WEXITSTATUS(status_));
  }

 private:
  pid_t child_ = 0;
  int status_ = 0;
};

// What one such save is about: a store of files with three generations, and a machine that holds the newest one and has
// something more to save.
class Setting {
 public:
  Setting() {
    put_file(machine.directory() / "large", noise(1'100'000, 1));
    for (int day = 0; day < 3; ++day) {
      put_file(machine.directory() / "day", noise(3000, 10 + static_cast<unsigned>(day)));
      before = picture(machine.directory());
      EXPECT_EQ(machine.save().outcome, SaveOutcome::saved);
    }
    put_file(machine.directory() / "more", noise(100'000, 20));
    after = picture(machine.directory());
  }

  Head head() const { return read_head(*files, layout, {}).value().seen.head; }

  // Everything becomes older; HEAD's times, too.
  void let_pass(std::chrono::seconds time) const {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place.path() / "store/apps")) {
      if (!entry.is_regular_file()) continue;
      if (entry.path().filename().native().starts_with("HEAD.")) {
        Head head = decode_head(util::read_file(entry.path()).value()).value();
        if (head.swept) *head.swept -= time;
        for (Trashed& trashed : head.trash) {
          if (trashed.since) *trashed.since -= time;
        }
        struct stat status{};
        ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
        ASSERT_TRUE(util::write_file(entry.path(), encode_head(head)));
        const std::array<timespec, 2> times = {status.st_atim, status.st_mtim};
        ASSERT_EQ(::utimensat(AT_FDCWD, entry.path().c_str(), times.data(), 0), 0);
      }
      fs::last_write_time(entry.path(), entry.last_write_time() - time);
    }
  }

  util::TempDir place = util::TempDir::create(fs::temp_directory_path(), "hearth-stopped-").value();
  std::unique_ptr<store::LocalStore> files = store::LocalStore::open(place.path() / "store").value();
  support::FaultyStore store{*files};
  Machine machine{store};
  const Layout layout = Layout::of(kName).value();
  Picture before;
  Picture after;
};

// Whatever the save did: all that HEAD names is there, and a save of a fresh machine goes well.
void expect_no_harm(const Setting& setting) {
  const Head head = setting.head();
  for (const auto* generations : {&head.generations, &head.aside}) {
    for (const Generation& generation : *generations) {
      for (const ObjectName& object : objects_of(head, generation)) {
        EXPECT_TRUE(setting.files->stat(setting.layout.key(object), {})) << object.text();
      }
    }
  }
  EXPECT_EQ(verify(*setting.files, kName, 1, {}).outcome, VerifyOutcome::sound);
  Machine next(*setting.files);
  EXPECT_THAT(next.restore().outcome, AnyOf(RestoreOutcome::hit, RestoreOutcome::miss));
  put_file(next.directory() / "afterwards", "x");
  EXPECT_EQ(next.save().outcome, SaveOutcome::saved);
  EXPECT_EQ(verify(*setting.files, kName, 1, {}).outcome, VerifyOutcome::sound);
}

// At each operation of the save: `meanwhile` while it is stopped, `judge` when it has gone on.
void stop_everywhere(const std::function<void(Setting&)>& meanwhile,
                     const std::function<void(Setting&, SaveOutcome)>& judge) {
  constexpr int kMost = 40;
  int operation = 0;
  for (bool stopped = true; stopped; ++operation) {
    ASSERT_LT(operation, kMost);
    SCOPED_TRACE(operation);
    Setting setting;
    StoppedSave save(setting.machine, setting.store, operation);
    stopped = save.is_stopped();
    if (stopped) meanwhile(setting);
    const SaveOutcome outcome = save.go_on();
    if (stopped) {
      judge(setting, outcome);
    } else {
      EXPECT_EQ(outcome, SaveOutcome::saved);
    }
    expect_no_harm(setting);
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GE(operation, 5);
}

TEST(StoppedSave, ThroughAPurge) {
  stop_everywhere([](Setting& setting) { ASSERT_TRUE(purge(*setting.files, setting.layout, {})); },
                  [](Setting& setting, SaveOutcome outcome) {
                    EXPECT_EQ(outcome, SaveOutcome::superseded);
                    EXPECT_THAT(restored_picture(*setting.files), IsEmpty());
                    EXPECT_THAT(setting.head().generations, IsEmpty());
                  });
}

TEST(StoppedSave, ThroughARollback) {
  stop_everywhere(
      [](Setting& setting) {
        const Transition back = [](const Seen& seen) -> Result<std::optional<Head>> {
          return TRY(rolled_back(seen, seen.head.generations.back().id));
        };
        ASSERT_TRUE(update_head(*setting.files, setting.layout, back, {}));
      },
      [](Setting& setting, SaveOutcome outcome) {
        EXPECT_EQ(outcome, SaveOutcome::superseded);
        const Head head = setting.head();
        EXPECT_EQ(head.generations.size(), 1U);
        EXPECT_EQ(head.aside.size(), 2U);
      });
}

// So long that all it has uploaded is collected.
TEST(StoppedSave, ThroughSweepsOfDays) {
  stop_everywhere(
      [](Setting& setting) {
        for (int day = 0; day < 3; ++day) {
          setting.let_pass(26h);
          ASSERT_TRUE(sweep(*setting.files, setting.layout, {}));
        }
      },
      [](Setting& setting, SaveOutcome outcome) {
        EXPECT_THAT(outcome, AnyOf(SaveOutcome::saved, SaveOutcome::superseded));
        EXPECT_EQ(restored_picture(*setting.files), outcome == SaveOutcome::saved ? setting.after : setting.before);
      });
}

}  // namespace
}  // namespace hearth::cache::testing
