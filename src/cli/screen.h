// What this process shows while it works: lines, and below them one that tells how far something has come.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "util/file.h"
#include "util/progress.h"

namespace hearth::cli {

// How progress is shown.
enum class ProgressStyle {
  none,
  lines,    // a line each time
  redrawn,  // one line that is drawn again and again, and is gone at the end
};

struct ScreenOptions {
  int progress_fd = 2;
  ProgressStyle style = ProgressStyle::none;
  // Nothing is shown of what takes no longer.
  std::chrono::milliseconds patience{};
  std::chrono::milliseconds interval{};  // between two lines, or drawings
  std::stop_token stop = {};             // from then on nobody who does not read is waited for
};

// All that goes to the terminal while progress may be shown goes through this, so that the line of progress never
// stands in the middle of another one. Thread-safe. What cannot be written is dropped. Whoever does not read is waited
// for until the stop that the options have, and then a second at most: what he has not taken is dropped.
class Screen : public std::enable_shared_from_this<Screen> {
 public:
  explicit Screen(ScreenOptions options) : options_(options) {}

  // On stderr: redrawn where it is a terminal that can (TERM is not "dumb"), in lines every five seconds elsewhere.
  static std::shared_ptr<Screen> of(const Environment& environment, std::stop_token stop);

  // Writes these bytes to 1 or 2; false where nobody reads there any more.
  bool write(int fd, std::string_view bytes);

  // Shows how far `what` has come until the returned handle is gone. `read` is called from another thread meanwhile.
  std::shared_ptr<void> show(std::string_view what, std::function<util::ProgressReading()> read);
  std::shared_ptr<void> show(std::string_view what, std::shared_ptr<const util::Progress> progress);

 private:
  class Shown;
  void draw(std::string_view line);
  void erase();
  // REQUIRES: mutex_ is held.
  void erase_drawn();
  bool put(int fd, std::string_view bytes);
  int patient(int fd);

  const ScreenOptions options_;
  std::mutex mutex_;
  bool drawn_ = false;
  bool in_line_ = false;    // the last thing that was written to a terminal ended in the middle of a line
  std::set<int> given_up_;  // where nobody read after the stop
  std::map<int, util::Fd> opened_anew_;
};

}  // namespace hearth::cli
