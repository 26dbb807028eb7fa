// SHA-256 (FIPS 180-4), by OpenSSL, which uses the processor's SHA extensions; of many contents at once by Intel's
// multi-buffer library, which uses its wide registers.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::util {

struct Digest {
  std::array<std::byte, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  // 64 lowercase hexadecimal digits.
  std::string hex() const;
  // Absent unless `text` is exactly 64 hexadecimal digits.
  static std::optional<Digest> from_hex(std::string_view text);
};

Digest sha256(std::span<const std::byte> bytes);
Digest sha256(std::string_view bytes);

// The digest of each, in their order. Of contents of 1 to 60 KiB several times faster than one after the other on a
// processor that has AVX2 or AVX-512 and no SHA extensions.
std::vector<Digest> sha256_each(std::span<const std::span<const std::byte>> contents);

// The same as sha256(), piece by piece.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  // The digest of everything so far; the object starts anew.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lowercase hexadecimal digits, two a byte.
std::string to_hex(std::span<const std::byte> bytes);

}  // namespace hearth::util

// Digests are uniformly distributed, so their first bytes are their hash.
template <>
struct std::hash<hearth::util::Digest> {
  std::size_t operator()(const hearth::util::Digest& digest) const noexcept;
};
