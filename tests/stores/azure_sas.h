// Shared access signatures as an operator gets them from Azure's tools; Hearth itself makes none.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::azure {

struct SasTerms {
  std::string account;
  std::string key;  // base64
  std::string container;
  std::string permissions;  // in the order racwdxltmeop
  std::chrono::system_clock::time_point expiry;
};

// A service SAS for a container ("Create a service SAS", version 2020-12-06 and later).
inline std::string container_sas(const SasTerms& terms) {
  constexpr std::string_view kVersion = "2021-12-02";
  const std::string expiry = util::utc_timestamp(terms.expiry);
  // Permissions, start, expiry, resource, identifier, addresses, protocol, version, kind, snapshot, encryption scope,
  // and five response headers.
  const std::string text = fmt::format("{}\n\n{}\n/blob/{}/{}\n\n\n\n{}\nc\n\n\n\n\n\n\n", terms.permissions, expiry,
                                       terms.account, terms.container, kVersion);
  const auto key = util::from_base64(terms.key).value();
  const std::string signature = util::to_base64(util::hmac_sha256(key, text).bytes);
  return fmt::format("sv={}&sr=c&sp={}&se={}&sig={}", kVersion, terms.permissions, util::percent_encode(expiry),
                     util::percent_encode(signature));
}

}  // namespace hearth::store::azure
