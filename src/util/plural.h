// Counts for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::util {

// "1 object", "2 objects"; "1 entry", "0 entries". `noun` is the singular of a noun whose plural is regular.
std::string plural(std::uint64_t count, std::string_view noun);

}  // namespace hearth::util
