// LocalStore between processes, and on file systems that refuse.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "store/contract.h"
#include "store/local_factory.h"

namespace hearth::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// What a child reports by its exit code.
constexpr int kFine = 0;
constexpr int kWrong = 1;
constexpr int kNotPermitted = 77;

// Runs `body` in a child process that dies with this one; returns its id. The exit code is what `body` returned.
template <class Body>
pid_t start(Body body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(body());
}

int finish(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return kWrong;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(LocalStoreProcesses, ConditionalPutsLoseNoUpdate) {
  const auto directory = temporary_directory();
  ASSERT_TRUE(open_local(directory->path())->put(key("n"), bytes_of("0"), Condition::none(), {}));
  constexpr int kProcesses = 3;
  constexpr int kIncrements = 20;
  const auto increment = [&] {
    const auto store = open_local(directory->path());
    for (int done = 0; done < kIncrements;) {
      const auto read = store->get(key("n"), {}, {});
      if (!read) return kWrong;
      const std::string next = std::to_string(std::stoi(text_of(read->bytes)) + 1);
      const auto put = store->put(key("n"), bytes_of(next), Condition::if_version(read->info.version), {});
      if (put) ++done;
      if (!put && put.error().kind != ErrorKind::conflict) return kWrong;
    }
    return kFine;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) children.push_back(start(increment));
  for (const pid_t child : children) EXPECT_EQ(finish(child), kFine);
  const auto read = open_local(directory->path())->get(key("n"), {}, {});
  EXPECT_EQ(text_of(read->bytes), std::to_string(kProcesses * kIncrements));
}

TEST(LocalStoreProcesses, OfConcurrentCreatorsExactlyOneWins) {
  const auto directory = temporary_directory();
  for (int round = 0; round < 5; ++round) {
    const std::string name = fmt::format("race/{}", round);
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
      children.push_back(start([&] {
        const auto put = open_local(directory->path())->put(key(name), bytes_of("x"), Condition::if_absent(), {});
        return put ? 10 : put.error().kind == ErrorKind::conflict ? kFine : kWrong;
      }));
    }
    int sum = 0;
    for (const pid_t child : children) sum += finish(child);
    EXPECT_EQ(sum, 10);
  }
}

TEST(LocalStoreProcesses, AKilledWriterLeavesTheOldObjectOrTheNewAndNoLock) {
  const auto directory = temporary_directory();
  const std::string old_text(1 << 20, 'o');
  const std::string new_text(3 << 20, 'n');
  const auto store = open_local(directory->path(), {std::chrono::seconds(10), std::chrono::seconds(0)});
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(store->put(key("a/b"), bytes_of(old_text), Condition::none(), {}));
    const pid_t writer = start([&] {
      while (store->put(key("a/b"), bytes_of(new_text), Condition::none(), {})) {
      }
      return kWrong;
    });
    ::usleep(static_cast<useconds_t>(3000 * round));
    ASSERT_EQ(::kill(writer, SIGKILL), 0);
    EXPECT_EQ(finish(writer), 128 + SIGKILL);
    const auto read = store->get(key("a/b"), {}, {});
    ASSERT_TRUE(read);
    const std::string seen = text_of(read->bytes);
    EXPECT_TRUE(seen == old_text || seen == new_text);
    EXPECT_EQ(keys_below(*store, ""), std::vector<std::string>{"a/b"});
    EXPECT_TRUE(store->put(key("a/b"), bytes_of("x"), Condition::if_version(read->info.version), {}));
  }
  open_local(directory->path(), {std::chrono::seconds(10), std::chrono::seconds(0)});
  EXPECT_TRUE(fs::is_empty(directory->path() / ".hearth/drafts"));
}

// Root may write everywhere; so the child that tries becomes nobody.
int become_ordinary() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return kFine;
  return ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0 ? kFine : kNotPermitted;
}

TEST(LocalStoreRefusals, AnUnwritableStoreIsDeniedAndCanBeRead) {
  const auto directory = temporary_directory();
  ASSERT_TRUE(open_local(directory->path())->put(key("a/b"), bytes_of("1"), Condition::none(), {}));
  for (const char* readable : {"", "a"}) fs::permissions(directory->path() / readable, fs::perms(0555));
  fs::permissions(directory->path() / ".hearth", fs::perms(0500));
  fs::permissions(directory->path() / "a/b", fs::perms(0444));
  const int outcome = finish(start([&] {
    if (become_ordinary() != kFine) return kNotPermitted;
    const auto store = LocalStore::open(directory->path());
    if (!store || !(*store)->get(key("a/b"), {}, {}) || !(*store)->stat(key("a/b"), {})) return kWrong;
    const auto put = (*store)->put(key("a/c"), bytes_of("2"), Condition::none(), {});
    const auto remove = (*store)->remove(key("a/b"), {});
    const auto create = LocalStore::open(directory->path() / "new");
    if (put || remove || create) return kWrong;
    for (const auto* error : {&put.error(), &remove.error(), &create.error()}) {
      if (error->kind != ErrorKind::denied || !error->message.contains(directory->path().native())) return kWrong;
    }
    return kFine;
  }));
  fs::permissions(directory->path(), fs::perms(0700));
  fs::permissions(directory->path() / "a", fs::perms(0700));
  if (outcome == kNotPermitted) GTEST_SKIP() << "root without the right to become another user";
  EXPECT_EQ(outcome, kFine);
}

// A file system of 64 kB over the directory, in a mount namespace that ends with this process.
bool mount_small(const fs::path& directory) {
  if (::unshare(CLONE_NEWNS) != 0) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return ::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=64k,mode=700") == 0;
}

TEST(LocalStoreRefusals, AFullDiskIsIoNamesThePathAndKeepsTheOldObject) {
  const auto directory = temporary_directory();
  const int outcome = finish(start([&] {
    if (!mount_small(directory->path())) return kNotPermitted;
    const auto store = open_local(directory->path());
    if (!store->put(key("a"), bytes_of("old"), Condition::none(), {})) return kWrong;
    const std::string large(200'000, 'x');
    const auto put = store->put(key("a"), bytes_of(large), Condition::none(), {});
    if (put || put.error().kind != ErrorKind::io) return kWrong;
    if (!put.error().message.contains("No space left") || !put.error().message.contains(directory->path().native())) {
      return kWrong;
    }
    if (text_of(store->get(key("a"), {}, {})->bytes) != "old") return kWrong;
    if (!fs::is_empty(directory->path() / ".hearth/drafts")) return kWrong;
    return store->put(key("a"), bytes_of("new"), Condition::none(), {}) ? kFine : kWrong;
  }));
  if (outcome == kNotPermitted) GTEST_SKIP() << "mounting a small file system needs root";
  EXPECT_EQ(outcome, kFine);
}

TEST(LocalStoreRefusals, AReadOnlyFileSystemIsDenied) {
  const auto directory = temporary_directory();
  const int outcome = finish(start([&] {
    if (!mount_small(directory->path())) return kNotPermitted;
    if (!open_local(directory->path())->put(key("a"), bytes_of("old"), Condition::none(), {})) return kWrong;
    if (::mount(nullptr, directory->path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return kNotPermitted;
    const auto store = LocalStore::open(directory->path());
    if (!store || !(*store)->get(key("a"), {}, {})) return kWrong;
    const auto put = (*store)->put(key("a"), bytes_of("new"), Condition::none(), {});
    const auto remove = (*store)->remove(key("a"), {});
    return !put && put.error().kind == ErrorKind::denied && !remove && remove.error().kind == ErrorKind::denied
               ? kFine
               : kWrong;
  }));
  if (outcome == kNotPermitted) GTEST_SKIP() << "mounting a small file system needs root";
  EXPECT_EQ(outcome, kFine);
}

}  // namespace
}  // namespace hearth::store
