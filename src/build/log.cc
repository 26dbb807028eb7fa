#include "build/log.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "util/text.h"

namespace hearth::build {

namespace {

constexpr std::string_view kHeading = "-----> ";
constexpr std::string_view kIndent = "       ";
constexpr std::string_view kWarning = " !     ";
constexpr std::string_view kMagenta = "\x1b[1;35m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

}  // namespace

void KeptLog::add(std::string_view line) {
  // A buildpack can print millions of lines; they share the text of their second.
  const auto second = std::chrono::floor<std::chrono::seconds>(now_());
  if (time_.empty() || second != second_) time_ = util::utc_timestamp(second);
  second_ = second;
  const std::string stamped = fmt::format("{} {}\n", time_, line);
  if (older_tail_.empty() && tail_.empty() && cut_ == 0 && head_.size() + stamped.size() <= kHead) {
    head_ += stamped;
    return;
  }
  if (tail_.size() + stamped.size() > kTail) {
    cut_ += older_tail_.size();
    older_tail_ = std::move(tail_);
    tail_.clear();
  }
  tail_ += stamped;
}

std::string KeptLog::text() const {
  if (cut_ == 0) return head_ + older_tail_ + tail_;
  return fmt::format("{}[{} of log cut out here]\n{}{}", head_, util::human_size(cut_), older_tail_, tail_);
}

Log::Log(const Console& console, const std::vector<std::string>& secrets,
         std::function<std::chrono::system_clock::time_point()> now)
    : console_(console), masker_(secrets), now_(now), kept_(std::move(now)) {}

void Log::heading(std::string_view text) {
  own(kHeading, text, kMagenta);
}

void Log::line(std::string_view text) {
  own(kIndent, text, {});
}

void Log::warning(std::string_view text) {
  own(kWarning, text, kYellow);
}

void Log::note(std::string_view text) {
  for (const std::string_view part : util::split(util::trim(text), '\n')) kept_.add(masker_.mask(part));
}

void Log::own(std::string_view prefix, std::string_view text, std::string_view colour) {
  end_output();
  for (const std::string_view part : util::split(text, '\n')) {
    const std::string masked = fmt::format("{}{}", prefix, masker_.mask(part));
    kept_.add(masked);
    if (console_.format == LogFormat::json) {
      emit_json(From::hearth, masked);
    } else if (console_.colours == Colours::on && !colour.empty()) {
      shown_text_ += fmt::format("{}{}{}\n", colour, masked, kPlain);
    } else {
      shown_text_ += masked + "\n";
    }
  }
  show();
}

void Log::output(std::string_view bytes) {
  const std::string masked = masker_.feed(bytes);
  if (masked.empty()) return;
  if (console_.format == LogFormat::text && console_.target == LogTarget::terminal) shown_text_ += masked;
  assemble(masked);
  show_beginning();
  show();
}

void Log::show() {
  if (!shown_text_.empty()) console_.log(shown_text_);
  shown_text_.clear();
}

void Log::end_output() {
  const std::string rest = masker_.flush();
  if (console_.format == LogFormat::text && console_.target == LogTarget::terminal) {
    shown_text_ += rest;
    const bool open = !line_.empty() || !rest.empty();
    if (open && !rest.ends_with('\n')) shown_text_ += '\n';
  }
  assemble(rest);
  if (!line_.empty()) end_line();
  return_seen_ = false;
  show();
}

void Log::assemble(std::string_view masked_bytes) {
  while (!masked_bytes.empty()) {
    const std::size_t end = std::min(masked_bytes.find_first_of("\r\n"), masked_bytes.size());
    if (end > 0) add_to_line(masked_bytes.substr(0, end));
    if (end == masked_bytes.size()) return;
    if (masked_bytes[end] == '\n') {
      end_line();
    } else {
      return_seen_ = true;
    }
    masked_bytes.remove_prefix(end + 1);
  }
}

void Log::add_to_line(std::string_view bytes) {
  if (return_seen_) carriage_return();
  while (line_.size() + bytes.size() > kLongestLine) {
    const std::size_t fits = kLongestLine - line_.size();
    line_ += bytes.substr(0, fits);
    bytes.remove_prefix(fits);
    show_beginning();
    // The line goes on in a new piece; on the console it stays one line.
    kept_.add(line_);
    if (console_.format == LogFormat::json) emit_json(From::buildpack, line_);
    if (rewritten_ && console_.format == LogFormat::text && console_.target == LogTarget::file) shown_text_ += line_;
    line_.clear();
    shown_ = 0;
    rewritten_ = false;
  }
  line_ += bytes;
}

void Log::carriage_return() {
  return_seen_ = false;
  if (shown_ > 0 && console_.format == LogFormat::text && console_.target == LogTarget::file) shown_text_ += '\n';
  line_.clear();
  shown_ = 0;
  rewritten_ = true;
}

void Log::end_line() {
  kept_.add(line_);
  if (console_.format == LogFormat::json) {
    emit_json(From::buildpack, line_);
  } else if (console_.target == LogTarget::file) {
    (shown_text_ += std::string_view(line_).substr(shown_)) += '\n';
  }
  line_.clear();
  shown_ = 0;
  return_seen_ = false;
  rewritten_ = false;
}

void Log::show_beginning() {
  if (console_.format == LogFormat::json || console_.target == LogTarget::terminal) return;
  if (rewritten_ || return_seen_ || shown_ == line_.size()) return;
  shown_text_ += std::string_view(line_).substr(shown_);
  shown_ = line_.size();
}

void Log::emit_json(From from, std::string_view line) {
  const nlohmann::ordered_json object = {
      {"time", util::utc_timestamp(now_())}, {"from", from == From::hearth ? "hearth" : "buildpack"}, {"line", line}};
  shown_text_ += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace hearth::build
