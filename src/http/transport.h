// What every use of libcurl in this program has in common; for the files of this module.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::http {

struct EasyCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyCleanup>;

// A new handle; starts libcurl at the first call in the process, and not before. Thread-safe.
Result<Easy> new_easy();

enum class Proxies { as_environment, none };
enum class Verification { full, none };

struct Surroundings {
  Proxies proxies = Proxies::as_environment;
  Verification verification = Verification::full;
  std::string ca_file;  // instead of what the environment names; may be empty
  std::chrono::milliseconds connect{30'000};
};

// For a request to `url`: protocols, proxies, certificates and connections: http and https only, no redirects, no
// signals; proxies as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say (or their names in lower case; HTTP_PROXY is
// not read in a CGI program, where a client sets it); trusted certificates of SSL_CERT_FILE, CURL_CA_BUNDLE or
// SSL_CERT_DIR, else the system's. All strings are copied.
void configure(CURL* easy, const std::string& url, const Surroundings& surroundings);

// The error of a transfer that libcurl ended, whose own text is `detail`, if it has one: unavailable, but for
// certificates (denied), and URLs and proxies that cannot be used (invalid). Names no password.
Error transport_error(CURLcode code, std::string_view detail);

// Without userinfo, query and fragment: any of them may be a secret.
std::string shown(std::string_view url);

// Whether the URL's scheme is this one, in whatever case.
bool has_scheme(std::string_view url, std::string_view scheme);

}  // namespace hearth::http
