#include "cache/engine_support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <random>

#include "util/hash.h"

namespace hearth::cache::testing {

namespace fs = std::filesystem;

namespace {

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

Node node_of(const fs::path& path, std::map<std::uint64_t, std::string>& twins, const std::string& shown) {
  struct stat status{};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  Node node;
  node.mtime = nanoseconds(status.st_mtim);
  if (S_ISLNK(status.st_mode)) {
    node.kind = 'l';
    node.content = fs::read_symlink(path).native();
    return node;
  }
  node.mode = status.st_mode & 07777;
  if (S_ISDIR(status.st_mode)) {
    node.kind = 'd';
    return node;
  }
  node.kind = S_ISREG(status.st_mode) ? 'f' : '?';
  if (node.kind == 'f') node.content = util::sha256(util::read_file(path).value_or("unreadable")).hex();
  if (status.st_nlink > 1) node.twin = twins.try_emplace(status.st_ino, shown).first->second;
  return node;
}

void set_mtime(const fs::path& path, std::int64_t seconds, long nanosecond) {
  const std::array<timespec, 2> times = {timespec{seconds, nanosecond}, timespec{seconds, nanosecond}};
  EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0) << path;
}

void make_sparse_file(const fs::path& path) {
  const util::Fd fd = util::open_file(path, O_RDWR | O_CREAT, 0644).value();
  const std::string text = noise(5000, 77);
  EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), 3 << 20), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(::ftruncate(fd.get(), 9 << 20), 0);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Node& node) {
  return out << fmt::format("{} {:o} {} {} {}", node.kind, node.mode, node.mtime, node.content, node.twin);
}

Picture picture(const fs::path& directory) {
  Picture result;
  if (!fs::exists(directory)) return result;
  std::map<std::uint64_t, std::string> twins;
  std::vector<std::string> paths = {""};
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    paths.push_back(entry.path().lexically_relative(directory).native());
  }
  std::ranges::sort(paths);
  for (const std::string& path : paths) {
    result.emplace(path, node_of(path.empty() ? directory : directory / path, twins, path));
  }
  return result;
}

void put_file(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  ASSERT_TRUE(util::write_file(path, content).has_value()) << path;
}

std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::string text;
  while (text.size() < bytes) {
    const std::uint64_t value = engine();
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  text.resize(bytes);
  return text;
}

void make_rich_tree(const fs::path& directory) {
  put_file(directory / "plain.txt", "hello\n");
  put_file(directory / "a/file", "1");
  put_file(directory / "a-b", "sorts between a and a/file");
  put_file(directory / "empty", "");
  put_file(directory / "script.sh", "#!/bin/sh\n");
  fs::permissions(directory / "script.sh", fs::perms(0755));
  put_file(directory / "private", "mine");
  fs::permissions(directory / "private", fs::perms(0600));
  put_file(directory / "unwritable", "r");
  fs::permissions(directory / "unwritable", fs::perms(0444));
  EXPECT_EQ(::chmod((directory / "private").c_str(), 04711), 0);
  put_file(directory / "no\nnewline \xff\xfe", "odd name");
  put_file(directory / "large", noise((5 << 20) + 123, 5));
  make_sparse_file(directory / "sparse");
  EXPECT_EQ(::truncate((put_file(directory / "hole", ""), directory / "hole").c_str(), 1 << 20), 0);
  fs::create_hard_link(directory / "plain.txt", directory / "a/twin");
  fs::create_hard_link(directory / "plain.txt", directory / "zz-third");
  fs::create_symlink("plain.txt", directory / "link");
  fs::create_symlink("/nowhere/at all", directory / "a/absolute");
  fs::create_symlink("../../outside", directory / "dangling");
  fs::create_directories(directory / "empty-dir/nested");
  fs::create_directories(directory / "go/pkg/mod");
  put_file(directory / "go/pkg/mod/file", "go");
  set_mtime(directory / "plain.txt", 1'000'000'000, 123'456'789);
  set_mtime(directory / "link", 1'100'000'000, 1);
  set_mtime(directory / "a-b", -5, 999'999'999);
  set_mtime(directory / "empty-dir", 1'200'000'000, 999);
  EXPECT_EQ(::chmod((directory / "empty-dir").c_str(), 01777), 0);
  fs::permissions(directory / "go/pkg/mod", fs::perms(0555));
  fs::permissions(directory / "go/pkg", fs::perms(0555));
}

void make_plain_tree(const fs::path& directory, int files, std::size_t bytes, unsigned seed) {
  for (int i = 0; i < files; ++i) {
    put_file(directory / fmt::format("dir{}/file{}", i % 7, i), noise(bytes, seed * 1000 + static_cast<unsigned>(i)));
  }
}

void wipe(const fs::path& directory) {
  ASSERT_TRUE(util::remove_tree(directory).has_value());
}

std::vector<store::Key> all_objects_of(store::ObjectStore& store) {
  std::vector<store::Key> keys;
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    keys.push_back(info.key);
    return {};
  };
  EXPECT_TRUE(store.list(store::Prefix(), visit, {}).has_value());
  return keys;
}

std::vector<store::Key> objects_of(store::ObjectStore& store) {
  std::vector<store::Key> keys = all_objects_of(store);
  std::erase_if(keys, [](const store::Key& key) { return key.text().contains("/HEAD."); });
  return keys;
}

RestoreOptions restoring_with(unsigned threads, std::shared_ptr<util::Progress> progress) {
  RestoreOptions options;
  options.threads = threads;
  options.progress = std::move(progress);
  return options;
}

SaveOptions saving_with(unsigned threads, std::shared_ptr<util::Progress> progress) {
  SaveOptions options;
  options.threads = threads;
  options.progress = std::move(progress);
  return options;
}

Machine::Machine(store::ObjectStore& store, std::string app)
    : store_(store),
      name_{std::move(app), "heroku-24", "amd64"},
      place_(util::TempDir::create(fs::temp_directory_path(), "hearth-cache-test-").value()),
      directory_(place_.path() / "cache"),
      index_(place_.path() / "index") {}

RestoreReport Machine::restore(const RestoreOptions& options, std::stop_token stop) {
  return cache::restore(store_, name_, directory_, index_, options, std::move(stop));
}

SaveReport Machine::save(std::stop_token stop) {
  return cache::save(store_, name_, directory_, index_, {}, std::move(stop));
}

RestoreReport Machine::restore_anew() {
  wipe(directory_);
  fs::remove(index_);
  return restore();
}

Picture restored_picture(store::ObjectStore& store) {
  Machine machine(store);
  machine.restore();
  return picture(machine.directory());
}

}  // namespace hearth::cache::testing
