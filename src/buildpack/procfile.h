// Process types: the Procfile's, or a release's defaults.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace hearth::buildpack {

// Lenient: lines of the form `^[A-Za-z0-9_-]+:\s*(.+)$`, CRLF tolerated; every other line is skipped; the last of two
// lines with one name wins.
std::map<std::string, std::string> parse_procfile(std::string_view text);

// The YAML map that the platform reads at publish: `web: "command"` per line; "{}\n" where there is none.
std::string write_procfile(const std::map<std::string, std::string>& processes);

}  // namespace hearth::buildpack
