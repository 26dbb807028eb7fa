#include "util/hash.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <cstring>

namespace hearth::util {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// The only failures of these calls are a broken installation of OpenSSL and no memory.
void require(int openssl_result) {
  if (openssl_result != 1) std::abort();
}

std::span<unsigned char> as_unsigned(Digest& digest) {
  return {reinterpret_cast<unsigned char*>(digest.bytes.data()), digest.bytes.size()};
}

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  State() { require(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr)); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()));
}

Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(state_->context.get(), as_unsigned(digest).data(), nullptr));
  require(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr));
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  Digest digest;
  // A context per thread: fetching the algorithm costs more than hashing a small file.
  thread_local Sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Digest sha256(std::string_view bytes) {
  return sha256(std::as_bytes(std::span(bytes)));
}

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text += kHexDigits[value >> 4];
    text += kHexDigits[value & 15];
  }
  return text;
}

std::string Digest::hex() const {
  return to_hex(bytes);
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  Digest digest;
  if (text.size() != digest.bytes.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char lower = (text[i] >= 'A' && text[i] <= 'F') ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    const std::size_t value = kHexDigits.find(lower);
    if (value == std::string_view::npos) return std::nullopt;
    digest.bytes[i / 2] = (digest.bytes[i / 2] << 4) | static_cast<std::byte>(value);
  }
  return digest;
}

}  // namespace hearth::util

std::size_t std::hash<hearth::util::Digest>::operator()(const hearth::util::Digest& digest) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, digest.bytes.data(), sizeof value);
  return value;
}
