#include "util/ignore_rules.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

#include "util/text.h"

namespace hearth::util {

namespace {

// Matches items against a pattern in which some elements stand for any number of items. All other elements take exactly
// one item, so it is enough to go back to the last of those elements.
template <class Element, class Items, class IsAnyNumber, class Matches>
bool match_sequence(const std::vector<Element>& pattern, const Items& items, IsAnyNumber is_any_number,
                    Matches matches) {
  std::size_t p = 0;
  std::size_t i = 0;
  std::optional<std::size_t> last_any;
  std::size_t taken_until = 0;
  while (i < items.size()) {
    if (p < pattern.size() && is_any_number(pattern[p])) {
      last_any = p++;
      taken_until = i;
    } else if (p < pattern.size() && matches(pattern[p], items[i])) {
      ++p;
      ++i;
    } else if (last_any) {
      p = *last_any + 1;
      i = ++taken_until;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && is_any_number(pattern[p])) ++p;
  return p == pattern.size();
}

struct CharacterClass {
  std::string_view name;
  int (*contains)(int);
};
constexpr std::array<CharacterClass, 12> kClasses = {{{"alnum", std::isalnum},
                                                      {"alpha", std::isalpha},
                                                      {"blank", std::isblank},
                                                      {"cntrl", std::iscntrl},
                                                      {"digit", std::isdigit},
                                                      {"graph", std::isgraph},
                                                      {"lower", std::islower},
                                                      {"print", std::isprint},
                                                      {"punct", std::ispunct},
                                                      {"space", std::isspace},
                                                      {"upper", std::isupper},
                                                      {"xdigit", std::isxdigit}}};

bool is_escaped(std::string_view text, std::size_t at) {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

// The text behind a '[', taken apart.
class Bracket {
 public:
  explicit Bracket(std::string_view rest) : rest_(rest) {}

  // The set of bytes; absent if the bracket is never closed.
  std::optional<std::bitset<256>> parse() {
    const bool negated = !rest_.empty() && (rest_[0] == '!' || rest_[0] == '^');
    if (negated) ++at_;
    for (const std::size_t first = at_; at_ < rest_.size(); ++at_) {
      if (rest_[at_] == ']' && at_ > first) {
        ++at_;
        return negated ? ~bytes_ : bytes_;
      }
      if (!take_class()) take_range();
    }
    return std::nullopt;
  }

  // How much of the text the bracket took.
  std::size_t length() const { return at_; }

 private:
  // "[:alpha:]"; leaves at_ on its last character.
  bool take_class() {
    if (!rest_.substr(at_).starts_with("[:")) return false;
    const std::size_t end = rest_.find(":]", at_ + 2);
    if (end == std::string_view::npos) return false;
    const std::string_view name = rest_.substr(at_ + 2, end - at_ - 2);
    for (const CharacterClass& known : kClasses) {
      if (known.name != name) continue;
      for (int byte = 0; byte < 256; ++byte) {
        if (known.contains(byte) != 0) bytes_.set(static_cast<std::size_t>(byte));
      }
    }
    at_ = end + 1;
    return true;
  }

  // "a" or "a-z"; leaves at_ on its last character.
  void take_range() {
    const std::size_t from = take_byte();
    std::size_t to = from;
    if (at_ + 2 < rest_.size() && rest_[at_ + 1] == '-' && rest_[at_ + 2] != ']') {
      at_ += 2;
      to = take_byte();
    }
    for (std::size_t byte = from; byte <= to; ++byte) bytes_.set(byte);
  }

  std::size_t take_byte() {
    if (rest_[at_] == '\\' && at_ + 1 < rest_.size()) ++at_;
    return static_cast<unsigned char>(rest_[at_]);
  }

  std::string_view rest_;
  std::size_t at_ = 0;
  std::bitset<256> bytes_;
};

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (const std::string_view line : split(text, '\n')) {
    Rule rule;
    if (parse(line, rule)) rules_.push_back(std::move(rule));
  }
}

bool IgnoreRules::parse(std::string_view line, Rule& rule) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  while (line.ends_with(' ') && !is_escaped(line, line.size() - 1)) line.remove_suffix(1);
  if (line.empty() || line[0] == '#' || line[0] == '!') return false;
  rule.directories_only = line.ends_with('/');
  if (rule.directories_only) line.remove_suffix(1);
  const bool anchored = line.contains('/');
  if (line.starts_with('/')) line.remove_prefix(1);
  if (line.empty()) return false;
  if (!anchored) {
    rule.segments = {{.any_depth = true, .tokens = {}}, {.any_depth = false, .tokens = compile(line)}};
    return true;
  }
  for (const std::string_view component : split(line, '/')) {
    const bool any_depth = component.size() >= 2 && component.find_first_not_of('*') == std::string_view::npos;
    rule.segments.push_back({any_depth, any_depth ? std::vector<Token>() : compile(component)});
  }
  // "a/**" is everything in a, but not a.
  if (rule.segments.back().any_depth) rule.segments.push_back({.any_depth = false, .tokens = compile("*")});
  return true;
}

std::vector<IgnoreRules::Token> IgnoreRules::compile(std::string_view component) {
  const std::vector<Token> never = {Token{}};  // a token without bytes
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < component.size(); ++i) {
    Token token;
    if (component[i] == '*') {
      token.star = true;
    } else if (component[i] == '?') {
      token.bytes.set();
    } else if (component[i] == '[') {
      Bracket bracket(component.substr(i + 1));
      const std::optional<std::bitset<256>> bytes = bracket.parse();
      if (!bytes) return never;
      token.bytes = *bytes;
      i += bracket.length();
    } else {
      if (component[i] == '\\' && ++i == component.size()) return never;
      token.bytes.set(static_cast<unsigned char>(component[i]));
    }
    tokens.push_back(token);
  }
  return tokens;
}

bool IgnoreRules::match_component(const std::vector<Token>& tokens, std::string_view name) {
  return match_sequence(
      tokens, name, [](const Token& token) { return token.star; },
      [](const Token& token, char byte) { return token.bytes.test(static_cast<unsigned char>(byte)); });
}

bool IgnoreRules::match_path(const Rule& rule, const std::vector<std::string_view>& components) {
  return match_sequence(
      rule.segments, components, [](const Segment& segment) { return segment.any_depth; },
      [](const Segment& segment, std::string_view name) { return match_component(segment.tokens, name); });
}

bool IgnoreRules::match(std::string_view path, PathKind kind) const {
  const std::vector<std::string_view> components = split(path, '/');
  return std::ranges::any_of(rules_, [&](const Rule& rule) {
    return (kind == PathKind::directory || !rule.directories_only) && match_path(rule, components);
  });
}

}  // namespace hearth::util
