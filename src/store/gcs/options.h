// What a store's URL and the environment say of a store in Google Cloud Storage.
#pragma once

#include <string>

#include "http/client.h"
#include "store/settings.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store::gcs {

enum class Login { credentials, none };

struct GcsOptions {
  std::string bucket;
  std::string prefix;  // "" or ends in '/'
  std::string shown;   // the URL, for messages
  std::string base;    // scheme://host[:port] of the service
  // Google's own: uploads go on only at hosts of Google.
  bool is_google = true;
  Login login = Login::credentials;
  std::string credentials;    // file; "": as the environment says
  std::string project;        // a new bucket's; "": as the environment says
  std::string location;       // a new bucket's; "": the service's default
  std::string storage_class;  // "": the bucket's default
  http::ClientOptions http;
};

// From gs://bucket/prefix?credentials=&endpoint=&location=&project=&storage-class=&connect-timeout=&progress-timeout=&
// request-timeout=. What the URL does not say comes from STORAGE_EMULATOR_HOST (then nobody logs in) and
// GOOGLE_CLOUD_PROJECT. An endpoint is https, or http on this machine: whoever logs in shows a token. invalid: see
// StoreUrl and Parameters.
Result<GcsOptions> read_options(StoreUrl url, const Environment& environment);

}  // namespace hearth::store::gcs
