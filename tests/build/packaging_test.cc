#include "build/packaging.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kOrdinary = 12345;
constexpr gid_t kTeam = 12346;

// Calls it in a thread without root's rights on files; where we are root, as the user kOrdinary.
void as_ordinary(const std::function<void()>& call) {
  std::jthread([&] {
    if (::geteuid() == 0) {
      ::setfsgid(kOrdinary);
      ::setfsuid(kOrdinary);
    }
    call();
  }).join();
}

// Ends with its scope.
class Mount {
 public:
  Mount(const fs::path& from, fs::path at, const char* type, unsigned long flags)
      : at_(std::move(at)), is_there_(::mount(from.c_str(), at_.c_str(), type, flags, nullptr) == 0) {}
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() {
    if (is_there_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  explicit operator bool() const { return is_there_; }

 private:
  fs::path at_;
  bool is_there_;
};

class HandOutTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(util::write_file(slug_, content_).has_value()); }

  // What was there before.
  void put_old(const fs::path& file, mode_t mode) const {
    ASSERT_TRUE(util::write_file(file, "old").has_value());
    ASSERT_EQ(0, ::chmod(file.c_str(), mode));
  }
  // Lets the ordinary user come as far as the folder.
  void open_the_way() const { ASSERT_EQ(0, ::chmod(temp_.path().c_str(), 0711)); }

  static struct stat status(const fs::path& file) {
    struct stat found{};
    EXPECT_EQ(0, ::stat(file.c_str(), &found));
    return found;
  }
  static mode_t mode(const fs::path& file) { return status(file).st_mode & ALLPERMS; }

  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder())) found.push_back(entry.path().filename());
    std::ranges::sort(found);
    return found;
  }
  fs::path folder() const { return temp_.path() / "out"; }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "hand-out-").value());
  const bool made_ = fs::create_directory(folder());
  const fs::path slug_ = temp_.path() / "slug.tgz";
  const std::string content_ = std::string(3'000'000, 's');
};

TEST_F(HandOutTest, AFileIsThereOnceItIsWhole) {
  const fs::path target = folder() / "it.tgz";
  ASSERT_TRUE(hand_out(slug_, target, {}).has_value());
  EXPECT_EQ(content_, util::read_file(target).value());
  EXPECT_EQ(std::vector<std::string>{"it.tgz"}, names());
  std::stop_source stop;
  stop.request_stop();
  ASSERT_TRUE(util::write_file(target, "the one before").has_value());
  EXPECT_EQ(ErrorKind::cancelled, hand_out(slug_, target, stop.get_token()).error().kind);
  EXPECT_EQ("the one before", util::read_file(target).value());
  EXPECT_EQ(std::vector<std::string>{"it.tgz"}, names());
}

TEST_F(HandOutTest, WhatALinkLeadsToIsReplaced) {
  ASSERT_TRUE(util::write_file(folder() / "real", "old").has_value());
  fs::create_symlink("real", folder() / "link");
  ASSERT_TRUE(hand_out(slug_, folder() / "link", {}).has_value());
  EXPECT_TRUE(fs::is_symlink(folder() / "link"));
  EXPECT_EQ(content_, util::read_file(folder() / "real").value());
}

TEST_F(HandOutTest, WhatADanglingLinkNamesIsMade) {
  fs::create_symlink("real", folder() / "link");
  ASSERT_TRUE(hand_out(slug_, folder() / "link", {}).has_value());
  EXPECT_TRUE(fs::is_symlink(folder() / "link"));
  EXPECT_EQ(content_, util::read_file(folder() / "real").value());
  EXPECT_EQ((std::vector<std::string>{"link", "real"}), names());
  fs::create_symlink("absent/real", folder() / "lost");
  EXPECT_EQ(ErrorKind::not_found, hand_out(slug_, folder() / "lost", {}).error().kind);
  EXPECT_TRUE(fs::is_symlink(folder() / "lost"));
}

TEST_F(HandOutTest, AModeIsKept) {
  const fs::path target = folder() / "it.tgz";
  for (const mode_t before : {0600, 0640, 0400, 0664}) {
    put_old(target, before);
    const ino_t old = status(target).st_ino;
    ASSERT_TRUE(hand_out(slug_, target, {}).has_value());
    EXPECT_EQ(before, mode(target));
    EXPECT_NE(old, status(target).st_ino) << "it was to be replaced";
    EXPECT_EQ(content_, util::read_file(target).value());
    fs::remove(target);
  }
  ASSERT_TRUE(hand_out(slug_, target, {}).has_value());
  EXPECT_EQ(mode(slug_), mode(target)) << "both are new, and the umask's";
}

TEST_F(HandOutTest, AnOwnerIsKept) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  const fs::path target = folder() / "it.tgz";
  put_old(target, 0640);
  ASSERT_EQ(0, ::chown(target.c_str(), kOrdinary, kTeam));
  ASSERT_TRUE(hand_out(slug_, target, {}).has_value());
  EXPECT_EQ(kOrdinary, status(target).st_uid);
  EXPECT_EQ(kTeam, status(target).st_gid);
  EXPECT_EQ(0640U, mode(target));
}

TEST_F(HandOutTest, AnotherGroupGetsNothingThatWasNotEverybodys) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  open_the_way();
  ASSERT_EQ(0, ::chown(folder().c_str(), kOrdinary, kOrdinary));
  const fs::path target = folder() / "it.tgz";
  for (const auto& [before, after] :
       std::vector<std::pair<mode_t, mode_t>>{{0664, 0644}, {0640, 0600}, {0660, 0600}, {0604, 0600}, {0600, 0600}}) {
    put_old(target, before);
    ASSERT_EQ(0, ::chown(target.c_str(), 0, kTeam));
    as_ordinary([&] { EXPECT_TRUE(hand_out(slug_, target, {}).has_value()); });
    EXPECT_EQ(kOrdinary, status(target).st_uid);
    EXPECT_EQ(kOrdinary, status(target).st_gid);
    EXPECT_EQ(after, mode(target));
    EXPECT_EQ(content_, util::read_file(target).value());
    fs::remove(target);
  }
}

TEST_F(HandOutTest, AFileInAFolderThatIsShutIsWrittenWhereItIs) {
  open_the_way();
  const fs::path target = folder() / "it.tgz";
  put_old(target, 0600);
  if (::geteuid() == 0) {
    ASSERT_EQ(0, ::chown(target.c_str(), kOrdinary, kOrdinary));
  }
  ASSERT_EQ(0, ::chmod(folder().c_str(), 0555));
  const ino_t old = status(target).st_ino;
  std::stop_source stop;
  stop.request_stop();
  as_ordinary([&] {
    EXPECT_EQ(ErrorKind::cancelled, hand_out(slug_, target, stop.get_token()).error().kind);
    EXPECT_EQ("old", util::read_file(target).value());
    const Result<void> handed = hand_out(slug_, target, {});
    EXPECT_TRUE(handed.has_value()) << handed.error().message;
    EXPECT_EQ(ErrorKind::denied, hand_out(slug_, folder() / "new", {}).error().kind);
  });
  EXPECT_EQ(content_, util::read_file(target).value());
  EXPECT_EQ(old, status(target).st_ino);
  EXPECT_EQ(0600U, mode(target));
  EXPECT_EQ(std::vector<std::string>{"it.tgz"}, names());
}

TEST_F(HandOutTest, AFileThatAContainerWasGivenIsWrittenWhereItIs) {
  const fs::path given = temp_.path() / "given";
  const fs::path target = folder() / "it.tgz";
  const Mount image("tmpfs", folder(), "tmpfs", 0);
  if (!image) GTEST_SKIP() << "only root can mount";
  put_old(target, 0644);
  put_old(given, 0600);
  const Mount file(given, target, nullptr, MS_BIND);
  ASSERT_TRUE(file);
  for (const bool is_read_only : {false, true}) {
    put_old(given, 0600);
    const unsigned long flags = is_read_only ? MS_REMOUNT | MS_RDONLY : MS_REMOUNT;
    ASSERT_EQ(0, ::mount(nullptr, folder().c_str(), nullptr, flags, nullptr));
    const Result<void> handed = hand_out(slug_, target, {});
    EXPECT_TRUE(handed.has_value()) << handed.error().message;
    EXPECT_EQ(content_, util::read_file(given).value());
    EXPECT_EQ(0600U, mode(given));
    EXPECT_EQ(std::vector<std::string>{"it.tgz"}, names());
  }
  EXPECT_EQ(ErrorKind::io, hand_out(slug_, folder() / "new", {}).error().kind);
}

// Pieces as a pipe needs them would make a large slug a matter of a hundred thousand calls.
TEST_F(HandOutTest, AFileIsWrittenInLargePieces) {
  const auto writes = [] {
    std::ifstream counters("/proc/thread-self/io");
    std::string name;
    for (std::uint64_t value = 0; counters >> name >> value;) {
      if (name == "syscw:") return value;
    }
    return std::uint64_t{0};
  };
  const std::uint64_t before = writes();
  if (before == 0) GTEST_SKIP() << "this kernel does not count";
  ASSERT_TRUE(hand_out(slug_, folder() / "it.tgz", {}).has_value());
  EXPECT_LT(writes() - before, 20U);
}

TEST_F(HandOutTest, WhatIsNoFileIsWrittenAsItIs) {
  EXPECT_FALSE(hand_out(slug_, folder(), {}).has_value()) << "a directory";
  EXPECT_FALSE(hand_out(slug_, folder() / "absent/it.tgz", {}).has_value());
  ASSERT_EQ(0, ::mknod((folder() / "socket").c_str(), S_IFSOCK | 0600, 0));
  EXPECT_FALSE(hand_out(slug_, folder() / "socket", {}).has_value())
      << "nobody can open a socket, however long we wait";
  const fs::path fifo = folder() / "fifo";
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  std::string read;
  std::jthread reader([&] { read = util::read_file(fifo).value_or("nothing"); });
  ASSERT_TRUE(hand_out(slug_, fifo, {}).has_value());
  reader.join();
  EXPECT_EQ(content_, read);
  EXPECT_TRUE(fs::is_fifo(fifo));
}

TEST_F(HandOutTest, AReaderMayComeLate) {
  const fs::path fifo = folder() / "fifo";
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  std::string read;
  std::jthread reader([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    read = util::read_file(fifo).value_or("nothing");
  });
  ASSERT_TRUE(hand_out(slug_, fifo, {}).has_value());
  reader.join();
  EXPECT_EQ(content_, read);
}

TEST_F(HandOutTest, AReaderThatStallsOrDoesNotComeDoesNotHoldAStopUp) {
  const fs::path fifo = folder() / "fifo";
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  for (const bool is_there : {true, false}) {
    util::Fd stalled;
    if (is_there) stalled = util::open_file(fifo, O_RDWR).value();
    std::stop_source stop;
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      stop.request_stop();
    });
    EXPECT_EQ(ErrorKind::cancelled, hand_out(slug_, fifo, stop.get_token()).error().kind);
  }
}

}  // namespace
}  // namespace hearth::build
