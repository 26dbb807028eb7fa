// Headers of the GNU tar format, whose names are bytes of any length (docs/decisions/0005).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace hearth::util {

inline constexpr std::size_t kTarBlock = 512;
inline constexpr std::size_t kEndMarker = 2 * kTarBlock;  // of zeros

enum class MemberType : char { file = '0', hard_link = '1', symlink = '2', directory = '5' };

struct Member {
  MemberType type = MemberType::file;
  std::string name;    // a directory's ends in '/'
  std::string target;  // of a link
  mode_t mode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;         // seconds since 1970
  std::uint32_t nanoseconds = 0;  // of the mtime
  std::uint32_t owner = 0;        // uid and gid
};

// The header blocks of the member: one, with records before it for a name or target above 100 bytes, and for an mtime
// that is no whole second (pax, which is the only way to say it; who does not know it takes the second). Fractions of
// times before 1970 are left out, since readers understand them differently.
std::string gnu_header(const Member& member);

// How many bytes of zeros fill the last block of a content of `size` bytes.
constexpr std::size_t padding_after(std::uint64_t size) {
  return static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
}

}  // namespace hearth::util
