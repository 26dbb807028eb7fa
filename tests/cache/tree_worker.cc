#include "cache/tree_worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace hearth::cache::testing {

namespace fs = std::filesystem;

namespace {

std::string name_of(unsigned what) {
  constexpr std::array<const char*, 6> kOdd = {"a", "a-b", "a b", "\xff\xfe", "new\nline", "zz"};
  return what < kOdd.size() ? kOdd[what] : fmt::format("n{}", what);
}

bool is_plain(const fs::directory_entry& entry) {
  return entry.is_regular_file() && !entry.is_symlink();
}
bool is_directory(const fs::directory_entry& entry) {
  return entry.is_directory() && !entry.is_symlink();
}

std::vector<fs::path> all(const fs::path& root, bool (*wanted)(const fs::directory_entry&)) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (wanted(entry)) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  return paths;
}

void write(const fs::path& path, const Step& step) {
  fs::remove(path);
  put_file(path, noise(step.size, step.what % 5));
  ASSERT_EQ(::chmod(path.c_str(), step.mode | 0400), 0);
  const timespec time{step.seconds, static_cast<long>(step.where)};
  const std::array<timespec, 2> times = {time, time};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
}

void change(const fs::path& file, const fs::path& fresh, bool taken, const Step& step) {
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

}  // namespace

rc::Gen<Step> any_step() {
  return rc::gen::build<Step>(
      rc::gen::set(&Step::action, rc::gen::inRange(0, 12)), rc::gen::set(&Step::where, rc::gen::inRange(0U, 1000U)),
      rc::gen::set(&Step::what, rc::gen::inRange(0U, 40U)),
      rc::gen::set(&Step::size, rc::gen::weightedElement<std::size_t>(
                                    {{4, 0}, {4, 1}, {12, 100}, {12, 5000}, {2, 300'000}, {1, 2'200'000}})),
      rc::gen::set(&Step::mode, rc::gen::inRange(0U, 01000U)),
      rc::gen::set(&Step::seconds, rc::gen::inRange<std::int64_t>(-1000, 2'000'000'000)));
}

void Worker::apply(const std::vector<Step>& steps) {
  for (const Step& step : steps) apply(step);
}

void Worker::apply(const Step& step) {
  std::vector<fs::path> directories = all(root_, is_directory);
  directories.push_back(root_);
  const std::vector<fs::path> files = all(root_, is_plain);
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

}  // namespace hearth::cache::testing
