// How commands tell what they found: as text or as JSON, and many lines in large pieces.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "cli/options.h"

namespace hearth::cli {

enum class Format { text, json };
void add_format(Options& options, Format& format);
// One JSON document on stdout; bytes of paths that are no UTF-8 become U+FFFD.
void say_json(const nlohmann::json& answer);

// Lines on standard output.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { flush(); }

  // The text and a line end.
  void line(std::string_view text);
  void flush();
  // False once nobody reads any more; what is told then is dropped.
  bool is_open() const { return open_; }

 private:
  std::string held_;
  bool open_ = true;
};

// A JSON object whose last member is a list that may be too long to be held.
class LongJson {
 public:
  // `object` has at least one member, and not this one.
  LongJson(Output& output, const nlohmann::json& object, std::string_view member);

  void add(const nlohmann::json& element);
  // Ends the list; the object ends on what `rest` has (an object, or null for nothing). Once.
  void finish(const nlohmann::json& rest);

 private:
  Output& output_;
  std::string last_;  // without the comma that follows if another one does
};

}  // namespace hearth::cli
