// A build's log: streamed to the console as it comes, and kept for the store, with secrets masked in both.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "build/build.h"
#include "build/mask.h"

namespace hearth::build {

// The kept log: every line with its time, in bounded memory. Of a log above kHead + kTail bytes the middle is cut out,
// and a line says how much that was.
class KeptLog {
 public:
  static constexpr std::size_t kHead = std::size_t{16} << 20;
  static constexpr std::size_t kTail = std::size_t{8} << 20;  // at least; at most twice as much

  explicit KeptLog(std::function<std::chrono::system_clock::time_point()> now) : now_(std::move(now)) {}

  void add(std::string_view line);
  // The whole log, one line feed at the end of each line.
  std::string text() const;

 private:
  std::function<std::chrono::system_clock::time_point()> now_;
  std::string head_;
  std::string older_tail_;
  std::string tail_;
  std::uint64_t cut_ = 0;
  std::chrono::sys_seconds second_{};
  std::string time_;  // second_, written out
};

// One thread at a time. Our own lines come in Heroku's form; what buildpacks write passes as it is, since they bring
// that form along.
class Log {
 public:
  Log(const Console& console, const std::vector<std::string>& secrets,
      std::function<std::chrono::system_clock::time_point()> now);

  void heading(std::string_view text);  // "-----> text"
  void line(std::string_view text);     // "       text"
  void warning(std::string_view text);  // " !     text"
  void note(std::string_view text);     // kept only: what a later reader wants to know and a live one does not

  // What a buildpack wrote: any bytes, cut anywhere. Complete lines and the beginnings of lines are shown at once; on a
  // target that is no terminal, of a line that '\r' rewrites only the last state (after a beginning that was already
  // shown, it stands on a line of its own).
  void output(std::string_view bytes);
  // The writer has ended: shows what was held back, and ends an unfinished line.
  void end_output();

  std::string masked(std::string_view text) const { return masker_.mask(text); }
  std::string kept() const { return kept_.text(); }

 private:
  // A longer line is cut into pieces of this size in the kept log, in JSON and where '\r' rewrites it.
  static constexpr std::size_t kLongestLine = std::size_t{64} << 10;

  enum class From { hearth, buildpack };
  void own(std::string_view prefix, std::string_view text, std::string_view colour);
  void assemble(std::string_view masked_bytes);
  void add_to_line(std::string_view bytes);
  void carriage_return();
  void end_line();
  void show_beginning();
  void emit_json(From from, std::string_view line);
  void show();

  Console console_;
  Masker masker_;
  std::function<std::chrono::system_clock::time_point()> now_;
  KeptLog kept_;
  std::string shown_text_;    // for the console, not handed to it yet
  std::string line_;          // the current line's last state
  std::size_t shown_ = 0;     // how much of line_ was shown already
  bool return_seen_ = false;  // a '\r' came; what follows rewrites the line, unless it is '\n'
  bool rewritten_ = false;    // the current line was rewritten: nothing of it is shown before its end
};

}  // namespace hearth::build
