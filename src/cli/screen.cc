#include "cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <stop_token>
#include <thread>
#include <utility>

#include "cli/pace.h"
#include "util/file.h"

namespace hearth::cli {

namespace {

constexpr std::size_t kUsualColumns = 80;
constexpr std::string_view kEraseLine = "\r\x1b[K";

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

std::shared_ptr<Screen> Screen::of(const Environment& environment) {
  constexpr std::chrono::milliseconds kSoon{700};
  constexpr std::chrono::milliseconds kFluent{200};
  constexpr std::chrono::milliseconds kSeldom{5'000};
  const auto term = environment.find("TERM");
  const bool can_redraw = ::isatty(STDERR_FILENO) != 0 && term != environment.end() && term->second != "dumb";
  if (can_redraw) {
    return std::make_shared<Screen>(ScreenOptions{STDERR_FILENO, ProgressStyle::redrawn, kSoon, kFluent});
  }
  return std::make_shared<Screen>(ScreenOptions{STDERR_FILENO, ProgressStyle::lines, kSeldom, kSeldom});
}

bool Screen::write(int fd, std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard guard(mutex_);
  erase_drawn();
  if (::isatty(fd) != 0 || fd == options_.progress_fd) in_line_ = !bytes.ends_with('\n');
  return util::write_full(fd, bytes).has_value();
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
  std::ignore = util::write_full(options_.progress_fd, text);
}

void Screen::erase() {
  const std::lock_guard guard(mutex_);
  erase_drawn();
}

void Screen::erase_drawn() {
  if (!std::exchange(drawn_, false)) return;
  std::ignore = util::write_full(options_.progress_fd, kEraseLine);
}

}  // namespace hearth::cli
