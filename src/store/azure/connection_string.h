// "AccountName=…;AccountKey=…": what Azure's portal gives out to connect with.
#pragma once

#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::store::azure {

// The account of the emulators (Azurite), and its key, which is public documentation.
constexpr std::string_view kDevelopmentAccount = "devstoreaccount1";
constexpr std::string_view kDevelopmentKey =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
constexpr std::string_view kDevelopmentEndpoint = "http://127.0.0.1:10000/devstoreaccount1";

// Empty: not given.
struct ConnectionString {
  std::string account;
  std::string key;       // base64
  std::string sas;       // a query, without '?'
  std::string endpoint;  // of the blob service, without '/' at its end
};

// Takes AccountName, AccountKey, SharedAccessSignature, BlobEndpoint (also with a signature behind '?'),
// DefaultEndpointsProtocol, EndpointSuffix, UseDevelopmentStorage; names of other settings are passed over, whatever
// the case of their letters. "" gives nothing. invalid: no name=value, and the message repeats no part of it.
Result<ConnectionString> parse_connection_string(std::string_view text);

}  // namespace hearth::store::azure
