#include "build/packaging.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

class HandOutTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(util::write_file(slug_, content_).has_value()); }

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

TEST_F(HandOutTest, WhatIsNoFileIsWrittenAsItIs) {
  EXPECT_FALSE(hand_out(slug_, folder(), {}).has_value()) << "a directory";
  EXPECT_FALSE(hand_out(slug_, folder() / "absent/it.tgz", {}).has_value());
  const fs::path fifo = folder() / "fifo";
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  std::string read;
  std::jthread reader([&] { read = util::read_file(fifo).value_or("nothing"); });
  ASSERT_TRUE(hand_out(slug_, fifo, {}).has_value());
  reader.join();
  EXPECT_EQ(content_, read);
  EXPECT_TRUE(fs::is_fifo(fifo));
}

TEST_F(HandOutTest, AReaderThatStallsDoesNotHoldAStopUp) {
  const fs::path fifo = folder() / "fifo";
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  const util::Fd stalled = util::open_file(fifo, O_RDWR).value();
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop.request_stop();
  });
  EXPECT_EQ(ErrorKind::cancelled, hand_out(slug_, fifo, stop.get_token()).error().kind);
}

}  // namespace
}  // namespace hearth::build
