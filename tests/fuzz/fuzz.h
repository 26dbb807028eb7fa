// What the fuzz targets share. A target is a function of any bytes, which neither crashes nor breaks what it expects,
// whatever the bytes. Built with libFuzzer each is a program of its own; without it, one test runs the kept corpora.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::fuzz {

using Bytes = std::span<const std::byte>;
using Target = std::function<void(Bytes)>;

// All targets of this program, by name.
std::map<std::string, Target>& targets();

// Registers a target: `const Registration kHead("head", [](Bytes input) { … });`
struct Registration {
  Registration(std::string name, Target target) { targets().emplace(std::move(name), std::move(target)); }
};

// Ends the program if what must hold does not: that is a finding.
void expect(bool holds, std::string_view what, std::source_location where = std::source_location::current());

std::string_view text_of(Bytes input);

// The first `size` bytes of the input, which is cut by them; fewer if there are no more.
Bytes take(Bytes& input, std::size_t size);
// A number of the first two bytes.
std::size_t take_number(Bytes& input);

}  // namespace hearth::fuzz
