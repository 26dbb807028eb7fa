// URLs of stores that are reached over a network: scheme://bucket/prefix?name=value&…
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::store {

// The parameters behind "?". Each is taken by whoever knows it; what nobody took is refused in the end. Messages name a
// parameter, and of values none but quantities.
class Parameters {
 public:
  // "a=1&b=2", percent-encoded. A parameter without '=', one that is given twice, and a control character are invalid.
  static Result<Parameters> parse(std::string_view query);

  // Absent where it was not given.
  std::optional<std::string> text(const std::string& name);
  // "true" or "false"; invalid otherwise.
  Result<std::optional<bool>> flag(const std::string& name);
  // As util::parse_duration.
  Result<std::optional<std::chrono::milliseconds>> duration(const std::string& name);
  // What it counts as given with where it was not given.
  void set_default(const std::string& name, std::string value);
  // Between the two bounds, inclusive.
  Result<std::optional<std::uint32_t>> number(const std::string& name, std::uint32_t least, std::uint32_t most);

  // invalid if a parameter was given that was not asked for; the message lists those that were.
  Result<void> check_all_taken() const;

 private:
  std::map<std::string, std::string> values_;
  std::set<std::string> known_;
};

struct StoreUrl {
  std::string scheme;
  std::string bucket;  // or container
  std::string prefix;  // "", or what all keys are put behind: ends in '/'
  Parameters parameters;

  // Without parameters: for messages.
  std::string shown() const;
};

// invalid: no bucket, a ':' or '@' before the first '/' (userinfo, "user:password@", does not belong there), a
// fragment, or a prefix that keys cannot begin with (see Key). The message does not repeat the URL.
Result<StoreUrl> parse_store_url(std::string_view url);

}  // namespace hearth::store
