#include "cli/screen.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <stop_token>
#include <thread>
#include <utility>

#include "cli/pace.h"

namespace hearth::cli {

namespace {

constexpr std::size_t kUsualColumns = 80;
constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::chrono::milliseconds kStep{100};         // until a stop is looked for
constexpr std::chrono::milliseconds kSpell{10};         // after a write that took nothing
constexpr std::chrono::seconds kPatienceAfterAStop{1};  // with somebody who does not read
constexpr std::size_t kTakenAtOnce = PIPE_BUF;          // by a pipe that can be written to

std::size_t columns_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

}  // namespace

// One piece of work; its thread ends with it.
class Screen::Shown {
 public:
  Shown(std::shared_ptr<Screen> screen, std::string_view what, std::function<util::ProgressReading()> read)
      : screen_(std::move(screen)),
        what_(what),
        read_(std::move(read)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
  ~Shown() {
    thread_.request_stop();
    thread_.join();
    screen_->erase();
  }

 private:
  void run(const std::stop_token& stop) {
    const ScreenOptions& options = screen_->options_;
    Pace pace;
    pace.take(Pace::Time::clock::now(), read_());
    for (auto pause = options.patience; wait(pause, stop); pause = options.interval) {
      pace.take(Pace::Time::clock::now(), read_());
      screen_->draw(options.style == ProgressStyle::lines
                        ? progress_words(what_, pace)
                        : progress_bar(what_, pace, columns_of(options.progress_fd) - 1));
    }
  }

  // False as soon as it is to end.
  bool wait(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
  }

  const std::shared_ptr<Screen> screen_;
  const std::string what_;
  const std::function<util::ProgressReading()> read_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

std::shared_ptr<Screen> Screen::of(const Environment& environment, std::stop_token stop) {
  constexpr std::chrono::milliseconds kSoon{700};
  constexpr std::chrono::milliseconds kFluent{200};
  constexpr std::chrono::milliseconds kSeldom{5'000};
  const auto term = environment.find("TERM");
  const bool can_redraw = ::isatty(STDERR_FILENO) != 0 && term != environment.end() && term->second != "dumb";
  if (can_redraw) {
    return std::make_shared<Screen>(
        ScreenOptions{STDERR_FILENO, ProgressStyle::redrawn, kSoon, kFluent, std::move(stop)});
  }
  return std::make_shared<Screen>(
      ScreenOptions{STDERR_FILENO, ProgressStyle::lines, kSeldom, kSeldom, std::move(stop)});
}

bool Screen::write(int fd, std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard guard(mutex_);
  erase_drawn();
  if (::isatty(fd) != 0 || fd == options_.progress_fd) in_line_ = !bytes.ends_with('\n');
  return put(fd, bytes);
}

// A terminal that can be written to takes a part, and then makes a writer wait who has not opened it to be told so.
int Screen::patient(int fd) {
  if (::isatty(fd) == 0) return fd;
  const auto [place, is_new] = opened_anew_.try_emplace(fd);
  if (is_new) {
    const std::string path = fmt::format("/proc/self/fd/{}", fd);
    place->second = util::Fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  }
  return place->second ? place->second.get() : fd;
}

// REQUIRES: mutex_ is held. False where nobody reads any more.
bool Screen::put(int fd, std::string_view bytes) {
  using Clock = std::chrono::steady_clock;
  const int to = patient(fd);
  auto taken = Clock::now();
  while (!bytes.empty()) {
    const bool given_up = options_.stop.stop_requested() && given_up_.contains(fd);
    pollfd reader{.fd = to, .events = POLLOUT, .revents = 0};
    if (::poll(&reader, 1, given_up ? 0 : static_cast<int>(kStep.count())) > 0) {
      const ssize_t count = ::write(to, bytes.data(), std::min(bytes.size(), kTakenAtOnce));
      if (count < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (count > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
        taken = Clock::now();
        given_up_.erase(fd);
        continue;
      }
      std::this_thread::sleep_for(kSpell);
    }
    if (given_up || (options_.stop.stop_requested() && Clock::now() - taken >= kPatienceAfterAStop)) {
      given_up_.insert(fd);
      return true;
    }
  }
  return true;
}

std::shared_ptr<void> Screen::show(std::string_view what, std::function<util::ProgressReading()> read) {
  if (options_.style == ProgressStyle::none) return nullptr;
  return std::make_shared<Shown>(shared_from_this(), what, std::move(read));
}

std::shared_ptr<void> Screen::show(std::string_view what, std::shared_ptr<const util::Progress> progress) {
  return show(what, [progress = std::move(progress)] { return progress->read(); });
}

void Screen::draw(std::string_view line) {
  const std::lock_guard guard(mutex_);
  // Somebody's line is not ours to break.
  if (in_line_) return;
  std::string text;
  if (options_.style == ProgressStyle::redrawn) {
    text = fmt::format("{}{}", kEraseLine, line);
    drawn_ = true;
  } else {
    text = fmt::format("hearth: {}\n", line);
  }
  put(options_.progress_fd, text);
}

void Screen::erase() {
  const std::lock_guard guard(mutex_);
  erase_drawn();
}

void Screen::erase_drawn() {
  if (!std::exchange(drawn_, false)) return;
  put(options_.progress_fd, kEraseLine);
}

}  // namespace hearth::cli
