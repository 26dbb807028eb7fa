#include "util/gnu_tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hearth::util {

namespace {

constexpr std::size_t kNameField = 100;
constexpr std::string_view kLongRecord = "././@LongLink";
constexpr std::string_view kTimeRecord = "././@PaxHeader";

// Offsets and widths of the fields, as GNU tar's header lays them out.
struct Field {
  std::size_t offset;
  std::size_t width;
};
constexpr Field kName{0, kNameField};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr Field kType{156, 1};
constexpr Field kTarget{157, kNameField};
constexpr Field kMagic{257, 8};

class Header {
 public:
  Header() { bytes_.fill('\0'); }

  void text(Field field, std::string_view value) {
    std::ranges::copy(value.substr(0, field.width), bytes_.begin() + static_cast<std::ptrdiff_t>(field.offset));
  }

  // Octal digits; big-endian binary, marked by the top bit, for what does not fit.
  void number(Field field, std::int64_t value) {
    const auto digits = fmt::format("{:0{}o}", value, field.width - 1);
    if (value >= 0 && digits.size() < field.width) return text(field, digits);
    auto rest = value;
    for (std::size_t i = field.width; i-- > 1; rest >>= 8) bytes_[field.offset + i] = static_cast<char>(rest & 0xff);
    bytes_[field.offset] = static_cast<char>(value < 0 ? 0xff : 0x80);
  }

  std::string finish() {
    text(kMagic, std::string_view("ustar  \0", kMagic.width));
    text(kChecksum, std::string_view("        ", kChecksum.width));
    unsigned sum = 0;
    for (const char byte : bytes_) sum += static_cast<unsigned char>(byte);
    text(kChecksum, fmt::format("{:06o}", sum) + '\0' + ' ');
    return {bytes_.begin(), bytes_.end()};
  }

 private:
  std::array<char, kTarBlock> bytes_{};
};

// A member that says something of the next one.
std::string record(char type, std::string_view name, const std::string& value) {
  Header header;
  header.text(kName, name);
  header.number(kMode, 0);
  header.number(kUid, 0);
  header.number(kGid, 0);
  header.number(kSize, static_cast<std::int64_t>(value.size()));
  header.number(kMtime, 0);
  header.text(kType, std::string_view(&type, 1));
  std::string bytes = header.finish() + value;
  bytes.append(padding_after(value.size()), '\0');
  return bytes;
}

std::string long_record(char type, const std::string& value) {
  return record(type, kLongRecord, value + '\0');
}

// "<length> mtime=<seconds>\n"; the length counts its own digits.
std::string time_record(std::int64_t seconds, std::uint32_t nanoseconds) {
  const std::string body = fmt::format(" mtime={}.{:09}\n", seconds, nanoseconds);
  std::size_t length = body.size() + 1;
  while (std::to_string(length).size() + body.size() != length) ++length;
  return record('x', kTimeRecord, std::to_string(length) + body);
}

}  // namespace

std::string gnu_header(const Member& member) {
  std::string blocks;
  if (member.nanoseconds != 0 && member.mtime >= 0) blocks += time_record(member.mtime, member.nanoseconds);
  if (member.target.size() > kNameField) blocks += long_record('K', member.target);
  if (member.name.size() > kNameField) blocks += long_record('L', member.name);
  Header header;
  header.text(kName, member.name);
  header.number(kMode, member.mode);
  header.number(kUid, member.owner);
  header.number(kGid, member.owner);
  header.number(kSize, static_cast<std::int64_t>(member.size));
  header.number(kMtime, member.mtime);
  const char type = static_cast<char>(member.type);
  header.text(kType, std::string_view(&type, 1));
  header.text(kTarget, member.target);
  return blocks + header.finish();
}

}  // namespace hearth::util
