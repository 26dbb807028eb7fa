#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command.h"
#include "util/file.h"

namespace hearth::cli {

namespace {

std::string text_of(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void add_format(Options& options, Format& format) {
  const Choices<Format> formats = {{"text", Format::text}, {"json", Format::json}};
  options.choice("--format", format, formats, "How to tell it")->default_str("text");
}

void say_json(const nlohmann::json& answer) {
  say(text_of(answer, 2));
}

void Output::line(std::string_view text) {
  constexpr std::size_t kPiece = 64 << 10;
  held_.append(text).push_back('\n');
  if (held_.size() >= kPiece) flush();
}

void Output::flush() {
  const std::string bytes = std::exchange(held_, {});
  if (open_ && !bytes.empty()) open_ = util::write_full(STDOUT_FILENO, bytes).has_value();
}

LongJson::LongJson(Output& output, const nlohmann::json& object, std::string_view member) : output_(output) {
  constexpr std::string_view kEnd = "\n}";
  std::string begin = text_of(object, 2);
  begin.resize(begin.size() - kEnd.size());
  output_.line(fmt::format("{},\n  \"{}\": [", begin, member));
}

void LongJson::add(const nlohmann::json& element) {
  constexpr int kOneLine = -1;
  if (!last_.empty()) output_.line(last_ + ",");
  last_ = "    " + text_of(element, kOneLine);
}

void LongJson::finish(const nlohmann::json& rest) {
  if (!last_.empty()) output_.line(last_);
  output_.line(rest.empty() ? "  ]\n}" : "  ]," + text_of(rest, 2).substr(1));
}

}  // namespace hearth::cli
