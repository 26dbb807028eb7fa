// What bin/release and bin/report print, as values.
#pragma once

#include <map>
#include <string>

#include "buildpack/buildpack.h"
#include "util/error.h"

namespace hearth::buildpack {

// A YAML map with the keys `config_vars` and `default_process_types`; others are ignored. Scalars of any type
// are taken as the text that stands there; keys without a value (null) are left out; an empty document is an empty
// Release. Anything else is invalid, and the message gives line and column.
Result<Release> parse_release(const std::string& text);

// The scalar values of a YAML or JSON map, as text; lists, maps and nulls in it are left out. Empty if it is no map.
std::map<std::string, std::string> parse_report(const std::string& text);

}  // namespace hearth::buildpack
