// Random trees, saved, restored and changed: what comes back is what was there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "cache/engine_support.h"
#include "store/memory_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;

// One step of somebody who works in the directory. Numbers choose among what is there.
struct Step {
  int action = 0;
  unsigned where = 0;
  unsigned what = 0;
  std::size_t size = 0;
  unsigned mode = 0;
  std::int64_t seconds = 0;

  friend std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << fmt::format("{{{}, {}, {}, {}, {:o}, {}}}", step.action, step.where, step.what, step.size, step.mode,
                              step.seconds);
  }
};

rc::Gen<Step> any_step() {
  return rc::gen::build<Step>(
      rc::gen::set(&Step::action, rc::gen::inRange(0, 12)), rc::gen::set(&Step::where, rc::gen::inRange(0U, 1000U)),
      rc::gen::set(&Step::what, rc::gen::inRange(0U, 40U)),
      rc::gen::set(&Step::size, rc::gen::element<std::size_t>(0, 1, 100, 100, 5000, 5000, 300'000, 2'200'000)),
      rc::gen::set(&Step::mode, rc::gen::inRange(0U, 01000U)),
      rc::gen::set(&Step::seconds, rc::gen::inRange<std::int64_t>(-1000, 2'000'000'000)));
}

// Directories stay enterable, so that the test can look into them as any user.
class Worker {
 public:
  explicit Worker(fs::path root) : root_(std::move(root)) { fs::create_directories(root_); }

  void apply(const std::vector<Step>& steps) {
    for (const Step& step : steps) apply(step);
  }

 private:
  static std::string name_of(unsigned what) {
    constexpr std::array<const char*, 6> kOdd = {"a", "a-b", "a b", "\xff\xfe", "new\nline", "zz"};
    return what < kOdd.size() ? kOdd[what] : fmt::format("n{}", what);
  }

  std::vector<fs::path> all(bool (*wanted)(const fs::directory_entry&)) const {
    std::vector<fs::path> paths;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root_)) {
      if (wanted(entry)) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
  }

  static bool is_plain(const fs::directory_entry& entry) { return entry.is_regular_file() && !entry.is_symlink(); }
  static bool is_directory(const fs::directory_entry& entry) { return entry.is_directory() && !entry.is_symlink(); }

  void apply(const Step& step) {
    std::vector<fs::path> directories = all(is_directory);
    directories.push_back(root_);
    const std::vector<fs::path> files = all(is_plain);
    const fs::path fresh = directories[step.where % directories.size()] / name_of(step.what);
    const bool taken = fs::exists(fs::symlink_status(fresh));
    if (step.action < 4) {
      if (!taken) write(fresh, step);
    } else if (step.action < 6) {
      if (!taken) fs::create_directory(fresh);
    } else if (step.action == 6) {
      if (!taken) fs::create_symlink(fmt::format("../{}", step.size), fresh);
    } else if (files.empty()) {
      return;
    } else {
      change(files[step.where % files.size()], fresh, taken, step);
    }
  }

  static void change(const fs::path& file, const fs::path& fresh, bool taken, const Step& step) {
    switch (step.action) {
      case 7:
        if (!taken) fs::create_hard_link(file, fresh);
        break;
      case 8:
        fs::remove(file);
        break;
      case 9:
        if (!taken) fs::rename(file, fresh);
        break;
      case 10:
        write(file, step);
        break;
      default:
        ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(step.size)), 0);
    }
  }

  static void write(const fs::path& path, const Step& step) {
    fs::remove(path);
    put_file(path, noise(step.size, step.what % 5));
    ASSERT_EQ(::chmod(path.c_str(), step.mode | 0400), 0);
    const timespec time{step.seconds, static_cast<long>(step.where)};
    const std::array<timespec, 2> times = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  }

  const fs::path root_;
};

void check_restored(const Picture& before, const RestoreReport& report, Machine& machine) {
  const bool nothing = before.size() == 1 && report.outcome == RestoreOutcome::miss;
  if (!nothing) {
    RC_ASSERT(report.outcome == RestoreOutcome::hit);
    const Picture after = picture(machine.directory());
    RC_ASSERT(after.size() == before.size());
    for (const auto& [path, node] : after) {
      // An empty directory that was saved over an empty one keeps the time of the first.
      if (path.empty() && before.size() == 1) continue;
      RC_ASSERT(before.contains(path));
      RC_ASSERT(node == before.at(path));
    }
  }
  const SaveReport again = machine.save();
  RC_ASSERT(again.outcome == SaveOutcome::unchanged);
  RC_ASSERT(again.read_bytes == 0U);
}

void check_story(const std::vector<std::vector<Step>>& days) {
  store::MemoryStore store;
  Machine builder(store);
  Machine follower(store);
  std::vector<Step> steps_elsewhere;
  for (const std::vector<Step>& steps : days) {
    Worker(builder.directory()).apply(steps);
    const Picture before = picture(builder.directory());
    const SaveReport saved = builder.save();
    RC_ASSERT(saved.outcome == SaveOutcome::saved || saved.outcome == SaveOutcome::unchanged);
    RC_ASSERT(saved.entries == before.size() - 1);
    Machine other(store);
    check_restored(before, other.restore(), other);
    // Somebody has been at work here since.
    Worker(follower.directory()).apply(steps_elsewhere);
    check_restored(before, follower.restore(), follower);
    steps_elsewhere = steps;
  }
}

TEST(SaveRestoreProperty, WhatComesBackIsWhatWasThere) {
  // Enough for each run of the suite; RC_PARAMS asks for more.
  ::setenv("RC_PARAMS", "max_success=25", 0);
  const bool held = rc::check([] {
    const auto days = *rc::gen::container<std::vector<std::vector<Step>>>(
        3, rc::gen::resize(20, rc::gen::container<std::vector<Step>>(any_step())));
    check_story(days);
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace hearth::cache::testing
