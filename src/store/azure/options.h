// What a store's URL and the environment say of a store in Azure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/client.h"
#include "store/azure/credentials.h"
#include "store/settings.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store::azure {

struct AzureOptions {
  std::string container;
  std::string prefix;  // "" or ends in '/'
  std::string shown;   // the URL, for messages
  std::string account;
  std::string endpoint;         // scheme://host[:port][/path], of the blob service; no '/' at its end
  std::string access_tier;      // "", Hot, Cool, Cold: "" is the account's
  std::uint32_t transfers = 4;  // blocks of one blob that travel at a time
  std::uint32_t page = 5'000;   // names that one request of a listing asks for: the service's most
  http::ClientOptions http;
};

struct Configuration {
  AzureOptions options;
  std::vector<CredentialProvider> providers;
};

// From azblob://container/prefix?account=&endpoint=&auth=&client-id=&access-tier=&transfers=&connect-timeout=&
// progress-timeout=&request-timeout=. What the URL does not say comes from AZURE_STORAGE_CONNECTION_STRING, then from
// AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_SERVICE_ENDPOINT; auth also from AZURE_STORAGE_AUTH_MODE (key, login). The
// endpoint is https://ACCOUNT.blob.core.windows.net where nothing else is said; the account devstoreaccount1 has the
// emulators' endpoint and key. A connection string of another account than the URL's is invalid. invalid: see StoreUrl
// and Parameters.
Result<Configuration> read_options(StoreUrl url, const Environment& environment);

}  // namespace hearth::store::azure
