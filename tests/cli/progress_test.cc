#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/pace.h"
#include "cli/screen.h"
#include "util/file.h"

namespace hearth::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using util::ProgressReading;

constexpr std::uint64_t kMegabyte = 1'000'000;

Pace::Time at(milliseconds time) {
  return Pace::Time(time);
}

TEST(Pace, KnowsNothingAtFirst) {
  Pace pace;
  EXPECT_EQ(pace.rate(), 0);
  EXPECT_FALSE(pace.remaining());
  pace.take(at(seconds(0)), {.done = 0, .total = 100});
  EXPECT_EQ(pace.rate(), 0);
  EXPECT_FALSE(pace.remaining());
}

TEST(Pace, IsWhatWasDoneInTheTime) {
  Pace pace;
  pace.take(at(seconds(0)), {.done = 0, .total = 100 * kMegabyte});
  pace.take(at(seconds(2)), {.done = 20 * kMegabyte, .total = 100 * kMegabyte});
  EXPECT_DOUBLE_EQ(pace.rate(), 10 * kMegabyte);
  EXPECT_EQ(pace.remaining(), seconds(8));
}

TEST(Pace, ForgetsHowFastItWasLongAgo) {
  Pace pace;
  for (int second = 0; second <= 60; ++second) {
    const std::uint64_t done = second <= 30 ? second * 10 * kMegabyte : 300 * kMegabyte + (second - 30) * kMegabyte;
    pace.take(at(seconds(second)), {.done = done, .total = 1000 * kMegabyte});
  }
  EXPECT_DOUBLE_EQ(pace.rate(), kMegabyte);
}

TEST(Pace, BeginsAnewWithSomethingNew) {
  Pace pace;
  pace.take(at(seconds(0)), {.done = 0, .total = 100});
  pace.take(at(seconds(1)), {.done = 90, .total = 100});
  pace.take(at(seconds(2)), {.done = 10, .total = 100});
  EXPECT_EQ(pace.rate(), 0);
  pace.take(at(seconds(3)), {.done = 20, .total = 200});
  EXPECT_EQ(pace.rate(), 0);
  EXPECT_EQ(pace.reading().total, 200U);
}

TEST(Pace, NothingIsDoneMoreThanOnce) {
  Pace pace;
  pace.take(at(seconds(0)), {.done = 0, .total = 100});
  pace.take(at(seconds(1)), {.done = 150, .total = 100});
  EXPECT_EQ(pace.reading().done, 100U);
  EXPECT_EQ(pace.remaining(), seconds(0));
}

TEST(Pace, NobodyWantsToReadOfYears) {
  Pace pace;
  pace.take(at(seconds(0)), {.done = 0, .total = UINT64_MAX});
  pace.take(at(seconds(1)), {.done = 100, .total = UINT64_MAX});
  EXPECT_FALSE(pace.remaining());
}

Pace half_done() {
  Pace pace;
  pace.take(at(seconds(0)), {.done = 0, .total = 100 * kMegabyte});
  pace.take(at(seconds(5)), {.done = 50 * kMegabyte, .total = 100 * kMegabyte});
  return pace;
}

TEST(ProgressText, TellsShareAmountRateAndTime) {
  EXPECT_EQ(progress_words("saving", half_done()), "saving: 50% (50 MB of 100 MB), 10 MB/s, 5 s left");
  EXPECT_EQ(progress_words("reading", Pace()), "reading...");
  Pace endless;
  endless.take(at(seconds(0)), {.done = 0, .total = 0});
  endless.take(at(seconds(5)), {.done = 50 * kMegabyte, .total = 0});
  EXPECT_EQ(progress_words("reading", endless), "reading: 50 MB, 10 MB/s");
  EXPECT_EQ(progress_bar("reading", endless, 79), "reading: 50 MB, 10 MB/s");
}

TEST(ProgressText, ABarFitsTheTerminal) {
  const std::string wide = progress_bar("saving", half_done(), 200);
  EXPECT_EQ(wide, "saving [====================>                   ] 50%, 10 MB/s, 5 s left");
  for (const std::size_t columns : {1U, 10U, 30U, 40U, 60U, 79U}) {
    EXPECT_LE(progress_bar("saving", half_done(), columns).size(), columns);
  }
  EXPECT_THAT(progress_bar("saving", half_done(), 45), HasSubstr("[======>      ]"));
  Pace all;
  all.take(at(seconds(0)), {.done = 0, .total = 10});
  all.take(at(seconds(1)), {.done = 10, .total = 10});
  EXPECT_THAT(progress_bar("saving", all, 200), HasSubstr("[========================================] 100%"));
}

// A terminal that the test holds the other end of.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0) return;
    slave_ = util::Fd(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    const winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(slave_.get(), TIOCSWINSZ, &size);
    ::fcntl(master_.get(), F_SETFL, O_NONBLOCK);
  }
  int fd() const { return slave_.get(); }
  // What was written to it since.
  std::string written() {
    std::array<char, 65536> buffer{};
    std::string text;
    for (ssize_t count = 1; count > 0;) {
      count = ::read(master_.get(), buffer.data(), buffer.size());
      if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  // Until this text was written.
  std::string wait_for(std::string_view text) {
    std::string seen;
    for (int left = 1000; left > 0 && !seen.contains(text); --left) {
      seen += written();
      std::this_thread::sleep_for(milliseconds(5));
    }
    return seen;
  }

 private:
  util::Fd master_;
  util::Fd slave_;
};

class ScreenTest : public testing::Test {
 protected:
  std::shared_ptr<Screen> screen(ProgressStyle style, milliseconds patience = milliseconds(1)) const {
    return std::make_shared<Screen>(ScreenOptions{terminal_.fd(), style, patience, milliseconds(1)});
  }
  static ProgressReading half() { return {.done = 50, .total = 100}; }

  Terminal terminal_;
};

TEST_F(ScreenTest, ALineIsDrawnAgainAndErasedAtTheEnd) {
  const auto shared = screen(ProgressStyle::redrawn);
  std::shared_ptr<void> shown = shared->show("saving", half);
  EXPECT_THAT(terminal_.wait_for("saving ["), HasSubstr("\r\x1b[Ksaving ["));
  shown.reset();
  EXPECT_THAT(terminal_.written(), EndsWith("\r\x1b[K"));
}

TEST_F(ScreenTest, WhatIsQuickIsNotShown) {
  for (const ProgressStyle style : {ProgressStyle::redrawn, ProgressStyle::lines}) {
    screen(style, std::chrono::hours(1))->show("saving", half).reset();
    EXPECT_EQ(terminal_.written(), "");
  }
}

TEST_F(ScreenTest, ALineOfTheLogIsNeverTorn) {
  const auto shared = screen(ProgressStyle::redrawn);
  std::shared_ptr<void> shown = shared->show("saving", half);
  terminal_.wait_for("saving [");
  EXPECT_TRUE(shared->write(terminal_.fd(), "-----> a whole line\n"));
  EXPECT_THAT(terminal_.wait_for("whole line\r\n"), HasSubstr("\r\x1b[K-----> a whole line\r\n"));
  terminal_.wait_for("saving [");
  EXPECT_TRUE(shared->write(terminal_.fd(), "half of"));
  EXPECT_THAT(terminal_.wait_for("half of"), EndsWith("\r\x1b[Khalf of"));
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(terminal_.written(), "") << "nothing is drawn into somebody's line";
  EXPECT_TRUE(shared->write(terminal_.fd(), " a line\n"));
  EXPECT_THAT(terminal_.wait_for("saving ["), StartsWith(" a line\r\n"));
}

TEST_F(ScreenTest, LinesAreWholeLines) {
  const auto shared = screen(ProgressStyle::lines);
  std::shared_ptr<void> shown = shared->show("saving", half);
  const std::string seen = terminal_.wait_for("saving: 50%");
  shown.reset();
  EXPECT_THAT(seen + terminal_.written(), StartsWith("hearth: saving: 50% (50 B of 100 B)"));
  EXPECT_THAT(seen, Not(HasSubstr("\x1b")));
}

// Writes, to somebody who does not read, much more than he has room for; how long that took.
milliseconds write_much(Screen& screen, int fd) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(screen.write(fd, std::string(1 << 20, 'x') + "\n"));
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
}

TEST_F(ScreenTest, WhoDoesNotReadIsNotWaitedForAfterAStop) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const util::Fd reader(ends[0]);
  const util::Fd writer(ends[1]);
  for (const int fd : {terminal_.fd(), writer.get()}) {
    std::stop_source stop;
    const auto screen = std::make_shared<Screen>(ScreenOptions{.stop = stop.get_token()});
    std::jthread later([&] {
      std::this_thread::sleep_for(milliseconds(300));
      stop.request_stop();
    });
    const milliseconds first = write_much(*screen, fd);
    EXPECT_GE(first, milliseconds(300)) << "until then it is";
    EXPECT_LT(first, seconds(10));
    EXPECT_LT(write_much(*screen, fd), milliseconds(500)) << "nor is he given another second";
  }
}

TEST_F(ScreenTest, WhoReadsGetsEverythingAlsoAfterAStop) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const util::Fd reader(ends[0]);
  util::Fd writer(ends[1]);
  std::stop_source stop;
  stop.request_stop();
  const auto screen = std::make_shared<Screen>(ScreenOptions{.stop = stop.get_token()});
  std::size_t read = 0;
  std::jthread slow([&] {
    std::array<std::byte, 65536> buffer{};
    for (std::size_t count = 1; count > 0; read += count) {
      std::this_thread::sleep_for(milliseconds(20));
      count = util::read_full(reader.get(), buffer).value_or(0);
    }
  });
  write_much(*screen, writer.get());
  writer.close();
  slow.join();
  EXPECT_EQ(read, (std::size_t{1} << 20) + 1);
}

TEST_F(ScreenTest, WhereNobodyReadsAnyMoreItSaysSo) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const util::Fd writer(ends[1]);
  ::close(ends[0]);
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  const auto screen = std::make_shared<Screen>(ScreenOptions{});
  EXPECT_FALSE(screen->write(writer.get(), "x"));
  ::signal(SIGPIPE, before);
}

TEST_F(ScreenTest, NothingIsReadAfterTheHandleIsGone) {
  std::atomic<bool> gone = false;
  std::atomic<bool> late = false;
  for (int round = 0; round < 20; ++round) {
    gone = false;
    std::shared_ptr<void> shown = screen(ProgressStyle::redrawn)->show("saving", [&] {
      if (gone) late = true;
      return half();
    });
    std::this_thread::sleep_for(milliseconds(round % 4));
    shown.reset();
    gone = true;
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_FALSE(late);
}

}  // namespace
}  // namespace hearth::cli
