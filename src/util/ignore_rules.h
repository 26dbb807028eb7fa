// The patterns of an ignore file, or of whatever else names parts of a tree.
#pragma once

#include <bitset>
#include <string_view>
#include <vector>

namespace hearth::util {

enum class PathKind { directory, other };

// gitignore(5) without '!': its lines, its wildcards ('*', '?', "[…]", "**"), its anchoring. Names are bytes. Matching
// takes at most (length of the pattern) × (length of the path) steps, whatever the pattern.
class IgnoreRules {
 public:
  // None.
  IgnoreRules() = default;
  // One pattern a line.
  explicit IgnoreRules(std::string_view text);

  // Does a rule name this entry itself? What lies in a matched directory need not match. `path` is relative, with '/'.
  bool match(std::string_view path, PathKind kind) const;
  bool empty() const { return rules_.empty(); }

 private:
  // One byte, or any number of them.
  struct Token {
    bool star = false;
    std::bitset<256> bytes;
  };
  // One path component, or ("**") any number of them.
  struct Segment {
    bool any_depth = false;
    std::vector<Token> tokens;
  };
  struct Rule {
    std::vector<Segment> segments;
    bool directories_only = false;
  };

  static bool parse(std::string_view line, Rule& rule);
  static std::vector<Token> compile(std::string_view component);
  static bool match_component(const std::vector<Token>& tokens, std::string_view name);
  static bool match_path(const Rule& rule, const std::vector<std::string_view>& components);

  std::vector<Rule> rules_;
};

}  // namespace hearth::util
