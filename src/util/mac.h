// What protocols of object stores sign and check messages with; for content of our own see hash.h.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"
#include "util/hash.h"

namespace hearth::util {

// HMAC with SHA-256 (RFC 2104).
Digest hmac_sha256(std::span<const std::byte> key, std::string_view message);

// MD5 (RFC 1321), piece by piece: against damage on the way, never against an attacker.
class Md5 {
 public:
  using Value = std::array<std::byte, 16>;

  Md5();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;
  ~Md5();

  void update(std::span<const std::byte> bytes);
  // Of everything so far; the object starts anew.
  Value finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// RFC 4648 section 4, with padding.
std::string to_base64(std::span<const std::byte> bytes);
// White space is skipped; anything else that is not of the alphabet, and missing padding, is invalid.
Result<std::vector<std::byte>> from_base64(std::string_view text);

// RFC 4648 section 5, without padding: as JSON Web Tokens have it.
std::string to_base64url(std::span<const std::byte> bytes);

// The signature RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017), by a private key in PEM. A key that cannot be read, or is
// none of RSA, is denied; the message says nothing of it.
Result<std::vector<std::byte>> sign_rsa_sha256(std::string_view key, std::string_view message);

}  // namespace hearth::util
