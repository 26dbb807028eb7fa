#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/screen.h"
#include "util/file.h"

namespace hearth::cli {

bool wants_colours(int fd, const Environment& environment) {
  const auto no_color = environment.find("NO_COLOR");
  if (no_color != environment.end() && !no_color->second.empty()) return false;
  const auto term = environment.find("TERM");
  return ::isatty(fd) != 0 && term != environment.end() && term->second != "dumb";
}

void complain(const std::string& message) {
  // stderr is the last resort; where it is closed there is nobody to tell.
  std::ignore = util::write_full(STDERR_FILENO, fmt::format("hearth: {}\n", message));
}

void say(const std::string& line) {
  // Whoever closed our standard output does not want to know.
  std::ignore = util::write_full(STDOUT_FILENO, line + "\n");
}

build::Console terminal_console(int log_fd, build::LogFormat format, const Environment& environment,
                                std::stop_token stop) {
  build::Console console;
  const std::shared_ptr<Screen> screen = Screen::of(environment, std::move(stop));
  console.log = [screen, log_fd, open = std::make_shared<bool>(true)](std::string_view bytes) {
    if (*open && !screen->write(log_fd, bytes)) *open = false;
  };
  console.diagnostics = [screen](std::string_view line) {
    screen->write(STDERR_FILENO, fmt::format("hearth: {}\n", line));
  };
  console.progress = [screen](std::string_view what, std::function<util::ProgressReading()> read) {
    return screen->show(what, std::move(read));
  };
  // Nothing stands between the lines of a log that a program reads.
  if (log_fd == STDERR_FILENO && format == build::LogFormat::json) console.progress = nullptr;
  console.target = ::isatty(log_fd) != 0 ? build::LogTarget::terminal : build::LogTarget::file;
  console.colours = wants_colours(log_fd, environment) ? build::Colours::on : build::Colours::off;
  console.format = format;
  return console;
}

}  // namespace hearth::cli
