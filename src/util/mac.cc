#include "util/mac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <cstdlib>

namespace hearth::util {
namespace {

// The only failures of these calls are a broken installation of OpenSSL and no memory.
void require(bool done) {
  if (!done) std::abort();
}

unsigned char* as_unsigned(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

}  // namespace

Digest hmac_sha256(std::span<const std::byte> key, std::string_view message) {
  Digest digest;
  unsigned length = 0;
  require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
               reinterpret_cast<const unsigned char*>(message.data()), message.size(), as_unsigned(digest.bytes.data()),
               &length) != nullptr);
  return digest;
}

struct Md5::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  State() { require(EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1); }
};

Md5::Md5() : state_(std::make_unique<State>()) {}
Md5::Md5(Md5&&) noexcept = default;
Md5& Md5::operator=(Md5&&) noexcept = default;
Md5::~Md5() = default;

void Md5::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Md5::Value Md5::finish() {
  Value value;
  require(EVP_DigestFinal_ex(state_->context.get(), as_unsigned(value.data()), nullptr) == 1);
  require(EVP_DigestInit_ex(state_->context.get(), EVP_md5(), nullptr) == 1);
  return value;
}

std::string to_base64(std::span<const std::byte> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

Result<std::vector<std::byte>> from_base64(std::string_view text) {
  std::string dense;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') dense += c;
  }
  std::vector<std::byte> bytes(dense.size() / 4 * 3);
  const int length = dense.size() % 4 != 0 ? -1
                                           : EVP_DecodeBlock(as_unsigned(bytes.data()),
                                                             reinterpret_cast<const unsigned char*>(dense.data()),
                                                             static_cast<int>(dense.size()));
  if (length < 0) return fail(ErrorKind::invalid, "not base64");
  const std::size_t padding = dense.ends_with("==") ? 2 : dense.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

std::string to_base64url(std::span<const std::byte> bytes) {
  std::string text = to_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

Result<std::vector<std::byte>> sign_rsa_sha256(std::string_view key, std::string_view message) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> source(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())),
                                                         &BIO_free);
  require(source != nullptr);
  // No pass phrase is asked for at a terminal.
  const auto no_pass_phrase = [](char*, int, int, void*) { return 0; };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> parsed(
      PEM_read_bio_PrivateKey(source.get(), nullptr, no_pass_phrase, nullptr), &EVP_PKEY_free);
  if (!parsed || EVP_PKEY_base_id(parsed.get()) != EVP_PKEY_RSA) {
    return fail(ErrorKind::denied, "the private key is no RSA key in PEM");
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::vector<std::byte> signature(static_cast<std::size_t>(EVP_PKEY_size(parsed.get())));
  std::size_t length = signature.size();
  const bool done = EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, parsed.get()) == 1 &&
                    EVP_DigestSign(context.get(), as_unsigned(signature.data()), &length,
                                   reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  if (!done) return fail(ErrorKind::denied, "the private key cannot sign");
  signature.resize(length);
  return signature;
}

}  // namespace hearth::util
