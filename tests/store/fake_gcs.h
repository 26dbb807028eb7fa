// What Google Cloud Storage would answer, as far as a test wants it to; its whole behaviour is in
// tests/stores/fake_gcs.py.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "store/contract.h"
#include "store/gcs/gcs_store.h"
#include "support/http_double.h"
#include "util/crc32c.h"

namespace hearth::store::gcs {

inline constexpr const char* kTimes =
    "Last-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\nDate: Sat, 01 Jun 2024 10:00:01 GMT\r\n";

inline GcsOptions options_at(const support::HttpDouble& server) {
  GcsOptions options;
  options.bucket = "bucket";
  options.prefix = "pre/";
  options.shown = "gs://bucket/pre";
  options.base = server.origin();
  options.is_google = false;
  options.http.limits.no_progress = std::chrono::milliseconds(2'000);
  return options;
}

// "token-1", and another one each time that one is asked for.
inline std::vector<TokenProvider> tokens() {
  auto given = std::make_shared<std::atomic<int>>(0);
  return {{"the test", [given](const std::stop_token&) -> Result<std::optional<Token>> {
             return Token{fmt::format("token-{}", ++*given)};
           }}};
}

inline std::string crc32c_of(std::string_view text) {
  util::Crc32c crc;
  crc.update(bytes_of(text));
  return encode_crc32c(crc.value());
}

inline std::string resource(const std::string& name, std::string_view text, int generation = 7) {
  return fmt::format(
      R"({{"name": "{}", "size": "{}", "generation": "{}", "timeCreated": "2024-06-01T10:00:00.123Z", "crc32c": "{}"}})",
      name, text.size(), generation, crc32c_of(text));
}

inline support::Reply error(int status, const std::string& reason, const std::string& message) {
  return support::reply(
      status, fmt::format(R"({{"error": {{"code": {}, "message": "{}", "errors": [{{"reason": "{}"}}]}}}})", status,
                          message, reason));
}

inline support::Reply content(std::string_view text, const std::string& hash_of) {
  return support::reply(200, text,
                        fmt::format("X-Goog-Generation: 7\r\nX-Goog-Hash: md5=AAAA\r\nX-Goog-Hash: crc32c={}\r\n{}",
                                    crc32c_of(hash_of), kTimes));
}

}  // namespace hearth::store::gcs
