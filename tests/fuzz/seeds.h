// What the fuzzers start from: a few good inputs for each target.
#pragma once

#include <map>
#include <string>

namespace hearth::fuzz {

// By name, for files; empty for a target that needs none.
std::map<std::string, std::string> seeds(const std::string& target);

}  // namespace hearth::fuzz
