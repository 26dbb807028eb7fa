#include "store/store_url.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "store/object_store.h"
#include "util/text.h"

namespace hearth::store {

Result<Parameters> Parameters::parse(std::string_view query) {
  Parameters parameters;
  if (query.empty()) return parameters;
  for (const std::string_view part : util::split(query, '&')) {
    const std::size_t equals = part.find('=');
    const std::string name =
        TRY(within("a parameter of the store's URL", util::percent_decode(part.substr(0, equals))));
    if (equals == std::string_view::npos || name.empty()) {
      return fail(ErrorKind::invalid, "parameters of the store's URL are written name=value, joined by '&'");
    }
    std::string value = TRY(within(fmt::format("the store's parameter {}", util::shown(name)),
                                   util::percent_decode(part.substr(equals + 1))));
    if (std::ranges::any_of(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
      return fail(ErrorKind::invalid, "the store's parameter {} has a control character", util::shown(name));
    }
    if (!parameters.values_.emplace(name, std::move(value)).second) {
      return fail(ErrorKind::invalid, "the store's parameter {} is given twice", util::shown(name));
    }
  }
  return parameters;
}

void Parameters::set_default(const std::string& name, std::string value) {
  values_.try_emplace(name, std::move(value));
}

std::optional<std::string> Parameters::text(const std::string& name) {
  known_.insert(name);
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

Result<std::optional<bool>> Parameters::flag(const std::string& name) {
  const auto value = text(name);
  if (!value) return std::optional<bool>();
  if (*value != "true" && *value != "false") {
    return fail(ErrorKind::invalid, "the store's parameter {} is true or false", name);
  }
  return std::optional<bool>(*value == "true");
}

Result<std::optional<std::chrono::milliseconds>> Parameters::duration(const std::string& name) {
  const auto value = text(name);
  if (!value) return std::optional<std::chrono::milliseconds>();
  return std::optional(TRY(within(fmt::format("the store's parameter {}", name), util::parse_duration(*value))));
}

Result<std::optional<std::uint32_t>> Parameters::number(const std::string& name, std::uint32_t least,
                                                        std::uint32_t most) {
  const auto value = text(name);
  if (!value) return std::optional<std::uint32_t>();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || number < least || number > most) {
    return fail(ErrorKind::invalid, "the store's parameter {} is a number from {} to {}", name, least, most);
  }
  return std::optional(number);
}

Result<void> Parameters::check_all_taken() const {
  for (const auto& [name, value] : values_) {
    if (known_.contains(name)) continue;
    std::string known;
    for (const std::string& one : known_) known += (known.empty() ? "" : ", ") + one;
    const std::vector<std::string> candidates(known_.begin(), known_.end());
    const std::string meant = util::nearest(name, candidates);
    const std::string hint = meant.empty() ? "" : fmt::format("; did you mean {}?", meant);
    return fail(ErrorKind::invalid, "the store's URL has an unknown parameter {}{} (known: {})", util::shown(name),
                hint, known);
  }
  return {};
}

std::string StoreUrl::shown() const {
  const std::string_view stem = std::string_view(prefix).substr(0, prefix.empty() ? 0 : prefix.size() - 1);
  return fmt::format("{}://{}{}{}", scheme, bucket, stem.empty() ? "" : "/", stem);
}

Result<StoreUrl> parse_store_url(std::string_view url) {
  constexpr std::string_view kSchemeEnd = "://";
  const std::size_t scheme = url.find(kSchemeEnd);
  if (scheme == std::string_view::npos) return fail(ErrorKind::invalid, "the store's URL has no ://");
  StoreUrl parsed;
  parsed.scheme = url.substr(0, scheme);
  std::string_view rest = url.substr(scheme + kSchemeEnd.size());
  // Before anything else is looked at, so that no message can repeat a part of them; a secret may have '/' and '?' in
  // it.
  if (rest.substr(0, rest.find_first_of("/?#")).find_first_of(":@") != std::string_view::npos) {
    return fail(ErrorKind::invalid,
                "credentials do not belong into the store's URL; the environment has them (in a bucket's name ':' is "
                "written %3A, and '@' %40)");
  }
  if (rest.contains('#'))
    return fail(ErrorKind::invalid, "a {}:// store takes no '#' (in a prefix: %23)", parsed.scheme);
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    parsed.parameters = TRY(Parameters::parse(rest.substr(query + 1)));
    rest = rest.substr(0, query);
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  parsed.bucket = TRY(within("the store's URL", util::percent_decode(rest.substr(0, slash))));
  if (parsed.bucket.empty() || parsed.bucket.contains('/')) {
    return fail(ErrorKind::invalid, "the store's URL names no bucket: {}://BUCKET/PREFIX", parsed.scheme);
  }
  std::string prefix =
      TRY(within("the store's URL", util::percent_decode(rest.substr(std::min(slash + 1, rest.size())))));
  while (prefix.ends_with('/')) prefix.pop_back();
  if (prefix.empty()) return parsed;
  parsed.prefix = TRY(within("the store's prefix", Prefix::parse(prefix + "/"))).text();
  return parsed;
}

}  // namespace hearth::store
