#include "cache/format/layout.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "util/text.h"

namespace hearth::cache {

std::string new_id() {
  return util::random_hex(8);
}

bool is_id(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string ObjectName::text() const {
  return kind == ObjectKind::manifest ? fmt::format("{}/manifest/{}", epoch, save)
                                      : fmt::format("{}/pack/{}-{}", epoch, save, number);
}

std::optional<ObjectName> ObjectName::parse(std::string_view text) {
  const auto segments = util::split(text, '/');
  if (segments.size() != 3 || !is_id(segments[0])) return std::nullopt;
  ObjectName name;
  name.epoch = std::string(segments[0]);
  std::string_view last = segments[2];
  if (segments[1] == "pack") {
    name.kind = ObjectKind::pack;
    const std::size_t dash = std::min(last.find('-'), last.size());
    const std::string_view number = last.substr(std::min(dash + 1, last.size()));
    if (std::from_chars(number.data(), number.data() + number.size(), name.number).ec != std::errc()) {
      return std::nullopt;
    }
    last = last.substr(0, dash);
  } else if (segments[1] != "manifest") {
    return std::nullopt;
  }
  name.save = std::string(last);
  // Numbers with a sign, leading zeros or a rest come out differently.
  if (!is_id(name.save) || name.text() != text) return std::nullopt;
  return name;
}

Result<store::Prefix> Layout::caches_of(std::string_view app) {
  if (app.empty()) return fail(ErrorKind::invalid, "a cache needs an app");
  return store::Prefix::parse(fmt::format("apps/{}/cache/", util::percent_encode(app)));
}

Result<Layout> Layout::of(const Name& name) {
  if (name.app.empty() || name.stack.empty()) return fail(ErrorKind::invalid, "a cache needs an app and a stack");
  if (name.arch.empty() || name.arch.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    return fail(ErrorKind::invalid, "\"{}\" is no name of an architecture", name.arch);
  }
  const std::string folder = TRY(caches_of(name.app)).text();
  const std::string suffix = fmt::format("{}-{}", util::percent_encode(name.stack), name.arch);
  store::Key head = TRY(store::Key::parse(fmt::format("{}HEAD.{}", folder, suffix)));
  store::Prefix objects = TRY(store::Prefix::parse(fmt::format("{}data.{}/", folder, suffix)));
  // key() cannot fail later: the longest name of an object fits, too.
  TRY(store::Key::parse(objects.text() + ObjectName{.epoch = std::string(16, '0'),
                                                    .kind = ObjectKind::pack,
                                                    .save = std::string(16, '0'),
                                                    .number = UINT32_MAX}
                                             .text()));
  return Layout(name, std::move(head), std::move(objects));
}

std::optional<Name> Layout::name_of(const store::Key& head) {
  const auto segments = util::split(head.text(), '/');
  constexpr std::string_view kHead = "HEAD.";
  if (segments.size() != 4 || !segments[3].starts_with(kHead)) return std::nullopt;
  const std::string_view suffix = std::string_view(segments[3]).substr(kHead.size());
  const std::size_t dash = suffix.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const Result<std::string> app = util::percent_decode(segments[1]);
  const Result<std::string> stack = util::percent_decode(suffix.substr(0, dash));
  if (!app || !stack) return std::nullopt;
  Name name{*app, *stack, std::string(suffix.substr(dash + 1))};
  const Result<Layout> layout = of(name);
  if (!layout || layout->head() != head) return std::nullopt;
  return name;
}

std::optional<Name> Layout::owner_of(const store::Key& key) {
  constexpr std::size_t kSegments = 7;
  const auto segments = util::split(key.text(), '/');
  if (segments.size() != kSegments || !segments[3].starts_with("data.")) return std::nullopt;
  const std::string head =
      fmt::format("{}/{}/{}/HEAD.{}", segments[0], segments[1], segments[2], segments[3].substr(std::strlen("data.")));
  const Result<store::Key> head_key = store::Key::parse(head);
  std::optional<Name> name = head_key ? name_of(*head_key) : std::nullopt;
  return name && of(*name)->parse(key) ? name : std::nullopt;
}

store::Prefix Layout::all() {
  return store::Prefix::parse("apps/").value();
}

store::Key Layout::key(const ObjectName& object) const {
  return store::Key::parse(objects_.text() + object.text()).value();
}

std::optional<ObjectName> Layout::parse(const store::Key& key) const {
  if (!key.text().starts_with(objects_.text())) return std::nullopt;
  return ObjectName::parse(std::string_view(key.text()).substr(objects_.text().size()));
}

}  // namespace hearth::cache
