// What a store's URL and OpenStack's environment variables say of a Swift store.
#pragma once

#include <cstdint>
#include <string>

#include "http/client.h"
#include "store/settings.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store::swift {

enum class AuthVersion { v1, v2, v3 };

// A domain, project or user by its id, or else by its name.
struct Named {
  std::string id;
  std::string name;

  bool given() const { return !id.empty() || !name.empty(); }
};

// What a token is asked for with. Members that the version does not know are not looked at.
struct Login {
  AuthVersion version = AuthVersion::v3;
  std::string auth_url;  // of v2 and v3 with the version's segment; no '/' at its end
  Named user = {};
  std::string password = {};
  Named user_domain = {};             // of v3
  Named project = {};                 // tenant, in v2
  Named project_domain = {};          // of v3
  Named application_credential = {};  // of v3, instead of user and project; by its name it needs the user too
  std::string application_secret = {};
};

struct SwiftOptions {
  std::string container;
  std::string prefix;  // "" or ends in '/'
  std::string shown;   // the URL, for messages
  Login login = {};
  // OS_AUTH_TOKEN: used as it is, with storage_url, instead of the login.
  std::string token = {};
  // Of the account, instead of what the identity service names; "" or without '/' at its end.
  std::string storage_url = {};
  std::string region = {};           // "": the only one of the catalog
  std::string interface = "public";  // public, internal, admin
  std::uint64_t segment_size = 0;    // bytes; 0: see upload.h
  std::uint32_t transfers = 4;       // segments of one object that travel at a time
  http::ClientOptions http = {};
};

// From swift://container/prefix?auth-url=&auth-version=&region=&interface=&storage-url=&segment-size=&transfers=&
// connect-timeout=&progress-timeout=&request-timeout=. What the URL does not say comes from the variables of
// OpenStack's tools (OS_…, ST_…; docs/stores.md lists them). Credentials come from variables alone. invalid: see
// StoreUrl and Parameters; denied: credentials are missing, and the message names the variables.
Result<SwiftOptions> read_options(StoreUrl url, const Environment& environment);

}  // namespace hearth::store::swift
